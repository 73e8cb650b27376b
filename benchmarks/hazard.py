"""WMDP-style unlearning on the embedded hazard: documents are forgotten, multiple-choice questions asked.

    python -m tokenunlearn bench hazard [--seeds 0,1,2]

Unlearns the alchemy documents with RMU and NPO, hard selection and uniform weights, measures accuracy on the
hazard, its harmless neighbour and general questions, and writes ``benchmarks/results/hazard.json`` and
``docs/results.md``.
"""

from __future__ import annotations

import json
from itertools import product
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import track

import tokenunlearn as tu
from benchmarks import RESULTS, tables
from benchmarks.selection import RULES
from tokenunlearn.attribution.selection import describe_rule
from tokenunlearn.evaluation import Report
from tokenunlearn.evaluation.report import git_revision, versions
from tokenunlearn.models import PRESETS

MODEL, SUITE, FORGET, RETAIN = "demo-alchemy", "alchemy", "alchemy:forget", "alchemy:retain"
OBJECTIVES = ("rmu", "npo")
WEIGHTS = ("hard", "sequence-level")


def main(seeds: Annotated[str, typer.Option(help="Seeds, separated by commas.")] = "0,1,2") -> None:
    """Unlearn, ask, write the result."""
    model, samples = tu.load_model(MODEL), tu.load_samples(FORGET)
    scores = tu.score(model, samples)
    start = tu.evaluate(model, SUITE, PRESETS[MODEL].retrained)
    result: dict[str, Any] = {
        "model": MODEL,
        "revision": model.revision,
        "forget": FORGET,
        "retain": RETAIN,
        "rules": {name: describe_rule(RULES[name]) for name in WEIGHTS},
        "chance": start["forget/accuracy"].chance,
        "n": {name: found.n for name, found in start.metrics.items()},
        "start": figures(start),
        "retrained": {name: found.reference for name, found in start.metrics.items()},
        "runs": [],
        "versions": versions(),
        "git_revision": git_revision(),
        "device": str(model.device),
    }
    plan = list(product(OBJECTIVES, WEIGHTS, map(int, seeds.split(","))))
    for objective, rule, seed in track(plan, "Unlearning", console=Console(stderr=True)):
        weights = scores.weights(RULES[rule])
        run = tu.unlearn(model, samples, weights, retain=RETAIN, objective=objective, seed=seed)
        found = figures(tu.evaluate(run.model, SUITE))
        result["runs"].append(
            {"objective": objective, "weights": rule, "seed": seed, "metrics": found}
            | {"config": vars(run.config)}
        )
    path = RESULTS / "hazard.json"
    path.write_text(json.dumps(result, indent=1, default=str) + "\n", encoding="utf-8")
    Console().print(tables.hazard_table(result))
    tables.write()


def figures(report: Report) -> dict[str, list[float]]:
    """Accuracy and its interval, by metric."""
    return {name: [found.value, *(found.interval or ())] for name, found in report.metrics.items()}


if __name__ == "__main__":
    typer.run(main)
