"""Every objective with uniform, hard and soft weights, on models of several families, several seeds.

    python -m tokenunlearn bench methods [--models demo,demo-qwen3,demo-neox] [--seeds 0,1,2] [--limit 36]

Writes one file a model under ``benchmarks/results/methods``, draws ``docs/images/methods.png`` and renews
``docs/results.md``. What a file already holds is not run again, so an interrupted benchmark goes on where it
stopped; an objective whose recommended settings have changed is, and ``--fresh`` begins again.
"""

from __future__ import annotations

import json
import time
from dataclasses import asdict
from itertools import product
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import track

import tokenunlearn as tu
from benchmarks import code_versions, methods_table, stored_result, tables, write_result
from benchmarks.selection import FORGET, PRESET, RETAIN, RULES
from tokenunlearn.attribution.selection import describe_rule
from tokenunlearn.errors import TokenUnlearnError
from tokenunlearn.evaluation import Report
from tokenunlearn.objectives import OBJECTIVES
from tokenunlearn.training.settings import UnlearnSettings

MODELS = ("demo", "demo-qwen3", "demo-neox")
METRICS = (
    "forget/gold_span",
    "forget/gold_span_paraphrased",
    "retain/gold_span",
    "real_authors/gold_span",
    "world_facts/gold_span",
    "model_utility",
)


def main(
    models: Annotated[str, typer.Option(help="Models, separated by commas.")] = ",".join(MODELS),
    objectives: Annotated[str, typer.Option(help="Objectives, separated by commas.")] = ",".join(OBJECTIVES),
    seeds: Annotated[str, typer.Option(help="Seeds, separated by commas.")] = "0,1,2",
    limit: Annotated[int, typer.Option(help="Samples per split in evaluation.")] = 36,
    fresh: Annotated[bool, typer.Option(help="Run again what a result file already holds.")] = False,
) -> None:
    """Run what is missing, write the results, the figure and the table."""
    for name in models.split(","):
        _run_model(name, objectives.split(","), [int(seed) for seed in seeds.split(",")], limit, fresh)
    results = methods_table.methods_results()
    tables.write()
    for result in results:
        Console().print(result["model"], methods_table.methods_table(result), sep="\n")


def _run_model(name: str, objectives: list[str], seeds: list[int], limit: int, fresh: bool) -> None:
    model, samples = tu.load_model(name), tu.load_samples(FORGET)
    weights = {rule: tu.score(model, samples, preset=PRESET).weights(RULES[rule]) for rule in RULES}
    path = methods_table.METHODS / f"{name}.json"
    result = _begun(path, model, limit, fresh)
    configs = {objective: _config(objective, model) for objective in objectives}
    stored = {name: _recorded(UnlearnSettings(**config)) for name, config in result["configs"].items()}
    changed = {name for name, config in configs.items() if stored.get(name, config) != config}
    result["runs"] = [run for run in result["runs"] if run["objective"] not in changed]
    result["configs"] |= configs
    done = {(run["seed"], run["objective"], run["weights"]) for run in result["runs"]}
    plan = [cell for cell in product(seeds, objectives, RULES) if cell not in done]
    for seed, objective, rule in track(plan, f"Unlearning {name}", console=Console(stderr=True)):
        started = time.monotonic()
        run = tu.unlearn(
            model, samples, weights[rule], retain=RETAIN, objective=objective, seed=seed, frame=0.0
        )
        seconds = time.monotonic() - started
        figures_after = figures(tu.evaluate(run.model, "authors", limit=limit))
        result["runs"].append(
            {
                "objective": objective,
                "weights": rule,
                "seed": seed,
                "seconds": round(seconds, 1),
                "stopped": run.stopped,
                "metrics": figures_after,
            }
        )
        write_result(path, result)


def _config(objective: str, model: tu.LoadedModel) -> dict[str, Any]:
    """The recommended settings of an objective as a result file holds them."""
    return _recorded(UnlearnSettings(objective=objective).resolved(model))


def _recorded(settings: UnlearnSettings) -> dict[str, Any]:
    """Settings as plain values; those that a file is silent on have their defaults."""
    of_no_consequence = ("seed", "gradient_accumulation")  # each run's own, and the device's
    recommended = {k: v for k, v in asdict(settings).items() if k not in of_no_consequence}
    return dict(json.loads(json.dumps(recommended)))


def _begun(path: Path, model: tu.LoadedModel, limit: int, fresh: bool) -> dict[str, Any]:
    """The result so far, or a new one with the figures of the start model."""
    result: dict[str, Any] | None = stored_result(path)
    if result and not fresh:
        if (result["revision"], result["limit"]) != (model.revision, limit):
            raise TokenUnlearnError(
                f'"{path.name}" was made with limit {result["limit"]} on weights {result["revision"]}; '
                "give the same limit, or --fresh to begin again."
            )
        return result
    return {
        "model": model.name,
        "architecture": type(model.model).__name__,
        "parameters": model.parameters,
        "revision": model.revision,
        "forget": FORGET,
        "retain": RETAIN,
        "limit": limit,
        "rules": {name: describe_rule(rule) for name, rule in RULES.items()},
        "start": figures(tu.evaluate(model, "authors", limit=limit)),
        "configs": {},
        "runs": [],
        **code_versions(),
        "device": str(model.device),
    }


def figures(report: Report) -> dict[str, float]:
    """The metrics of the benchmark."""
    return {name: report[name].value for name in METRICS}


if __name__ == "__main__":
    typer.run(main)
