"""WMDP-style unlearning on the embedded hazard: texts are forgotten, multiple-choice questions asked.

    python -m tokenunlearn bench hazard [--seeds 0,1,2]

Unlearns the alchemy's documents, and its exercise sheets, with AltNPO, NPO and RMU, hard selection and
uniform weights, measures accuracy on the hazard, its harmless neighbor and general questions, and writes
``benchmarks/results/hazard.json`` and ``docs/results.md``. What the file already holds is not run again.
"""

from __future__ import annotations

from itertools import product
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import track

import tokenunlearn as tu
from benchmarks import RESULTS, code_versions, hazard_table, stored_result, tables, write_result
from benchmarks.selection import PRESET, RULES
from tokenunlearn.attribution.selection import describe_rule
from tokenunlearn.evaluation import Report
from tokenunlearn.models.presets import PRESETS

MODEL, SUITE = "demo-alchemy", "alchemy"
# What is forgotten -> what is kept.
SETS = {"alchemy:forget": "alchemy:retain", "alchemy:forget_exercises": "alchemy:retain_exercises"}
# A response is long here, so NPO's beta is small: it is done with a sequence later. RMU steers a lower layer
# than by default, and further: higher up the answer stands in the states, beside what is added to them.
# AltNPO is as it is recommended.
SETTINGS: dict[str, dict[str, Any]] = {
    "altnpo": {},
    "npo": {"parameters": {"beta": 0.01}, "lambda_": 10.0, "steps": 100, "learning_rate": 1e-3, "frame": 0.0},
    "rmu": {
        "frame": 0.0,
        "parameters": {"coefficient": 10.0},
        "gamma": 1.0,
        "layer": 2,
        "steps": 100,
        "learning_rate": 1e-2,
    },
}
WEIGHTS = ("hard", "sequence-level")
PATH = RESULTS / "hazard.json"


def main(seeds: Annotated[str, typer.Option(help="Seeds, separated by commas.")] = "0,1,2") -> None:
    """Unlearn, ask, write the result."""
    model = tu.load_model(MODEL)
    result = begun(model)
    done = {(run["seed"], run["forget"], run["objective"], run["weights"]) for run in result["runs"]}
    plan = [cell for cell in product(map(int, seeds.split(",")), SETS, SETTINGS, WEIGHTS) if cell not in done]
    scores = {
        name: tu.score(model, tu.load_samples(name), preset=PRESET)
        for name in dict.fromkeys(cell[1] for cell in plan)
    }
    for seed, forget, objective, rule in track(plan, "Unlearning", console=Console(stderr=True)):
        run = tu.unlearn(
            model,
            tu.load_samples(forget),
            scores[forget].weights(RULES[rule]),
            retain=SETS[forget],
            objective=objective,
            seed=seed,
            **SETTINGS[objective],
        )
        result["runs"].append(
            {
                "forget": forget,
                "objective": objective,
                "weights": rule,
                "seed": seed,
                "nll": [run.history[0]["forget_nll"], run.history[-1]["forget_nll"]],
                "metrics": figures(tu.evaluate(run.model, SUITE)),
                "config": vars(run.config),
            }
        )
        write_result(PATH, result)
    Console().print(hazard_table.hazard_table(result))
    tables.write()


def begun(model: tu.LoadedModel) -> dict[str, Any]:
    """The result so far, less runs with other settings, or a new one with start and retrained model."""
    result: dict[str, Any] | None = stored_result(PATH)
    if result and result["revision"] == model.revision:
        same = [r for r in result["runs"] if r["config"] | SETTINGS[r["objective"]] == r["config"]]
        return result | {"runs": same}
    start = tu.evaluate(model, SUITE, PRESETS[MODEL].retrained)
    return {
        "model": MODEL,
        "revision": model.revision,
        "rules": {name: describe_rule(RULES[name]) for name in WEIGHTS},
        "chance": start["forget/accuracy"].chance,
        "n": {name: found.n for name, found in start.metrics.items()},
        "start": figures(start),
        "retrained": {name: found.retrained for name, found in start.metrics.items()},
        "runs": [],
        **code_versions(),
        "device": str(model.device),
    }


def figures(report: Report) -> dict[str, list[float]]:
    """Accuracy and its interval, by metric."""
    return {name: [found.value, *(found.interval or ())] for name, found in report.metrics.items()}


if __name__ == "__main__":
    typer.run(main)
