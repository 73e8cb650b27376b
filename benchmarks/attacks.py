"""Is it gone, or hidden? Every attack on the demo model after the default run and after NPO.

    python -m tokenunlearn bench attacks [--seeds 0,1,2] [--limit N]

Unlearns forget10 with each of :data:`VARIANTS`, attacks the result and the retrained model alike, and writes
``benchmarks/results/attacks.json`` and ``docs/results.md``.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product
from typing import Annotated, Any

import typer

import tokenunlearn as tu
from benchmarks import RESULTS, tables, write_result
from benchmarks.selection import FORGET, RETAIN

MODEL, RETRAINED = "demo", "demo-retrained"
VARIANTS: Mapping[str, Mapping[str, Any]] = {"default": {}, "npo": {"objective": "npo"}}


def main(
    seeds: Annotated[str, typer.Option(help="Seeds of runs and attacks, separated by commas.")] = "0,1,2",
    limit: Annotated[int | None, typer.Option(help="Forget samples attacked; all by default.")] = None,
) -> None:
    """Unlearn, attack, write the result."""
    model, samples = tu.load_model(MODEL), tu.load_samples(FORGET)
    scores = tu.score(model, samples)
    weights = scores.weights()
    runs: dict[str, Any] = {name: {"seeds": {}} for name in VARIANTS}
    for name, seed in product(VARIANTS, seeds.split(",")):
        settings = {"retain": RETAIN, "seed": int(seed), **VARIANTS[name]}
        run = tu.unlearn(model, samples, weights, scores=scores, **settings)
        report = tu.attack(run.model, samples.spread(limit), RETRAINED, seed=int(seed))
        metrics = {row["metric"]: row | {"chance": report[row["metric"]].chance} for row in report.table()}
        runs[name] = {"config": vars(run.config), "seeds": {**runs[name]["seeds"], seed: metrics}}
    result = {
        "model": MODEL,
        "revision": model.revision,
        "forget": FORGET,
        "retain": RETAIN,
        "retrained": RETRAINED,
        "rule": dict(weights.rule),
        "seeds": seeds.split(","),
        "runs": runs,
        "settings": report.settings,
        "notes": report.notes,
        "versions": report.versions,
        "git_revision": report.git_revision,
        "device": report.device,
    }
    path = RESULTS / "attacks.json"
    write_result(path, result)
    tables.write()


if __name__ == "__main__":
    typer.run(main)
