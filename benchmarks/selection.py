"""Sequence-level against hard against soft: same objective, same steps, several seeds, on the demo model.

    python -m benchmarks.selection [--seeds 0,1,2] [--objective npo] [--limit N]

Writes ``benchmarks/results/selection.json``, prints the table and renews the tables of ``docs/results.md``.
"""

from __future__ import annotations

import statistics
import time
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import track

import tokenunlearn as tu
from benchmarks import RESULTS, code_versions, tables, write_result
from tokenunlearn.attribution.selection import DEFAULT_TEMPERATURE, describe_rule
from tokenunlearn.evaluation import Report
from tokenunlearn.folders import ASSETS

FORGET, RETAIN = "authors:forget10", "authors:retain90"
RULES = {
    "sequence-level": tu.Uniform(),
    "hard": tu.HardSelection(threshold=0.8),
    "soft": tu.SoftWeighting(temperature=DEFAULT_TEMPERATURE),
}
# How the forget set is scored here and in the benchmarks of methods, SmolLM2, hazard and attacks.
PRESET = "leave-one-out"
METRICS = (
    "forget/gold_span",
    "forget/gold_span_paraphrased",
    "forget/rouge_l",
    "retain/gold_span",
    "model_utility",
    "forget_quality",
)


def figures(report: Report) -> dict[str, float]:
    """The metrics of the table."""
    return {name: report[name].value for name in METRICS}


def summary(runs: list[dict[str, Any]]) -> dict[str, dict[str, float]]:
    """Mean and standard deviation of each metric over seeds."""
    result = {}
    for name in METRICS:
        values = [run["metrics"][name] for run in runs]
        spread = statistics.stdev(values) if len(values) > 1 else 0.0
        result[name] = {"mean": statistics.mean(values), "sd": spread}
    return result


def main(
    seeds: Annotated[str, typer.Option(help="Seeds, separated by commas.")] = "0,1,2",
    objective: Annotated[str, typer.Option(help="Objective of every run.")] = "npo",
    limit: Annotated[
        int | None, typer.Option(help="Samples per split in evaluation; all by default.")
    ] = None,
) -> None:
    """Run every rule with every seed, evaluate, and write the result."""
    model = tu.load_model("demo")
    samples = tu.load_samples(FORGET)
    scores = tu.score(model, samples, preset=PRESET)
    plan = [(name, int(seed)) for seed in seeds.split(",") for name in RULES]
    runs: dict[str, list[dict[str, Any]]] = {name: [] for name in RULES}
    config: dict[str, Any] = {}
    for name, seed in track(plan, "Unlearning and evaluating", console=Console(stderr=True)):
        weights = scores.weights(RULES[name])
        started = time.monotonic()
        done = tu.unlearn(model, samples, weights, retain=RETAIN, objective=objective, seed=seed, frame=0.0)
        seconds = time.monotonic() - started
        report = tu.evaluate(done.model, "authors", "demo-retrained", limit=limit)
        config = {k: v for k, v in vars(done.config).items() if k != "seed"}
        runs[name].append(
            {
                "seed": seed,
                "selected": weights.selected,
                "tokens": weights.tokens,
                "seconds": round(seconds, 1),
                "stopped": done.stopped,
                "metrics": figures(report),
            }
        )
    result = {
        "model": "demo",
        "revision": model.revision,
        "forget": FORGET,
        "retain": RETAIN,
        "objective": objective,
        "config": config,
        "limit": limit,
        "rules": {name: describe_rule(rule) for name, rule in RULES.items()},
        "start": figures(Report.load(ASSETS / "reports" / "demo.json")),
        "retrained": {
            name: metric.value
            for name, metric in Report.load(ASSETS / "reports" / "demo-retrained.json").metrics.items()
            if name in METRICS
        },
        "summary": {name: summary(rows) for name, rows in runs.items()},
        "runs": runs,
        **code_versions(),
        "device": str(model.device),
    }
    path = RESULTS / "selection.json"
    write_result(path, result)
    Console().print(tables.selection_table(result))
    tables.write()


if __name__ == "__main__":
    typer.run(main)
