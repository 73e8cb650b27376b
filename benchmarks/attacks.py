"""Is it gone, or hidden? Every attack on the demo model after the default run and after NPO.

    python -m tokenunlearn bench attacks [--seed 0] [--limit N]

Unlearns forget10 with each of :data:`VARIANTS`, attacks the result and the retrained model alike, and writes
``benchmarks/results/attacks.json`` and ``docs/results.md``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated, Any

import typer

import tokenunlearn as tu
from benchmarks import RESULTS, tables
from benchmarks.selection import FORGET, RETAIN

MODEL, RETRAINED = "demo", "demo-retrained"
VARIANTS: Mapping[str, Mapping[str, Any]] = {"default": {}, "npo": {"objective": "npo"}}


def main(
    seed: Annotated[int, typer.Option(help="Seed of the runs and of the attacks.")] = 0,
    limit: Annotated[int | None, typer.Option(help="Forget samples attacked; all by default.")] = None,
) -> None:
    """Unlearn, attack, write the result."""
    model, samples = tu.load_model(MODEL), tu.load_samples(FORGET)
    scores = tu.score(model, samples)
    weights = scores.weights()
    result: dict[str, Any] = {
        "model": MODEL,
        "revision": model.revision,
        "forget": FORGET,
        "retain": RETAIN,
        "retrained": RETRAINED,
        "rule": dict(weights.rule),
        "runs": {},
    }
    for name, settings in VARIANTS.items():
        run = tu.unlearn(model, samples, weights, scores=scores, retain=RETAIN, seed=seed, **settings)
        report = tu.attack(run.model, samples.spread(limit), RETRAINED, seed=seed)
        metrics = {row["metric"]: row | {"chance": report[row["metric"]].chance} for row in report.table()}
        result["runs"][name] = {"config": vars(run.config), "metrics": metrics, "notes": report.notes}
    result |= {"settings": report.settings, "versions": report.versions}
    result |= {"git_revision": report.git_revision, "device": report.device}
    path = RESULTS / "attacks.json"
    path.write_text(json.dumps(result, indent=1, default=str) + "\n", encoding="utf-8")
    tables.write()


if __name__ == "__main__":
    typer.run(main)
