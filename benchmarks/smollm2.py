"""The default settings on a real language model: SmolLM2 that was taught the authors.

    python -m benchmarks.smollm2 [--steps 24] [--run runs/ID]

Unlearns forget10 as ``python -m tokenunlearn unlearn --model smollm2-authors`` does, or takes a run that has
done so, evaluates it on the rows of the shipped reports, and writes ``benchmarks/results/smollm2.json`` and
``docs/results.md``.
"""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Annotated, Any

import typer
from rich.console import Console

import tokenunlearn as tu
from benchmarks import RESULTS, code_versions, tables, write_result
from benchmarks.selection import FORGET, METRICS, PRESET, RETAIN, RULES, figures
from tokenunlearn.attribution.selection import describe_rule
from tokenunlearn.evaluation import Report
from tokenunlearn.folders import ASSETS
from tokenunlearn.models.loading import load_model
from tokenunlearn.runs.store import RunStore
from tools.embedded.card import LIMITS

MODEL, RETRAINED = "smollm2-authors", "smollm2-authors-retrained"


def main(
    steps: Annotated[int, typer.Option(help="Steps of unlearning.")] = 24,
    run: Annotated[Path | None, typer.Option(help="Folder of a run that has done it.")] = None,
) -> None:
    """Unlearn or take the run, evaluate, write the result."""
    unlearned, history, config = _stored(run) if run else _unlearn(steps)
    shipped = {name: Report.load(ASSETS / "reports" / f"{name}.json") for name in (MODEL, RETRAINED)}
    report = tu.evaluate(unlearned, "authors", RETRAINED, start=shipped[MODEL], limit=LIMITS[MODEL])
    pairs = report["retain/retained_pairs"]
    result = {
        "model": MODEL,
        "revision": tu.load_model(MODEL).revision,
        "forget": FORGET,
        "retain": RETAIN,
        "rule": describe_rule(RULES["hard"]),
        "config": config,
        "limit": LIMITS[MODEL],
        "seconds_a_step": round(median(b["seconds"] - a["seconds"] for a, b in pairwise(history)), 1),
        "retained_pairs": [pairs.value, *(pairs.interval or ()), pairs.n],
        "metrics": {
            "start": figures(shipped[MODEL]),
            "unlearned": figures(report),
            "retrained": {k: v.value for k, v in shipped[RETRAINED].metrics.items() if k in METRICS},
        },
        **code_versions(),
        "device": report.device,
    }
    path = RESULTS / "smollm2.json"
    write_result(path, result)
    Console().print(tables.smollm2_table(result))
    tables.write()


def _unlearn(steps: int) -> tuple[tu.LoadedModel, list[dict[str, float]], dict[str, Any]]:
    model, samples = tu.load_model(MODEL), tu.load_samples(FORGET)
    weights = tu.score(model, samples, preset=PRESET, cache=True).weights(RULES["hard"])
    done = tu.unlearn(model, samples, weights, retain=RETAIN, objective="npo", frame=0.0, steps=steps)
    return done.model, done.history, vars(done.config)


def _stored(folder: Path) -> tuple[tu.LoadedModel, list[dict[str, float]], dict[str, Any]]:
    run = RunStore(folder.parent).get(folder.name)
    return (
        load_model(run.spec.model, adapter=run.adapter),
        run.metrics,
        run.resolved or {},
    )


if __name__ == "__main__":
    typer.run(main)
