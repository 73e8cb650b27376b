"""Is it gone, or hidden? Every attack on the demo model after NPO, and on the retrained one.

    python -m tokenunlearn bench attacks [--seed 0] [--limit N]

Unlearns forget10 with NPO and no frame loss, attacks the result and the retrained model alike, and writes
``benchmarks/results/attacks.json`` and ``docs/results.md``.
"""

from __future__ import annotations

import json
from typing import Annotated

import typer
from rich.console import Console

import tokenunlearn as tu
from benchmarks import RESULTS, attacks_table, tables
from benchmarks.selection import FORGET, PRESET, RETAIN, RULES
from tokenunlearn.attribution.selection import describe_rule

MODEL, RETRAINED = "demo", "demo-retrained"


def main(
    seed: Annotated[int, typer.Option(help="Seed of the run and of the attacks.")] = 0,
    limit: Annotated[int | None, typer.Option(help="Forget samples attacked; all by default.")] = None,
) -> None:
    """Unlearn, attack, write the result."""
    model, samples, rule = tu.load_model(MODEL), tu.load_samples(FORGET), RULES["hard"]
    weights = tu.score(model, samples, preset=PRESET).weights(rule)
    run = tu.unlearn(model, samples, weights, retain=RETAIN, objective="npo", frame=0.0, seed=seed)
    report = tu.attack(run.model, samples.spread(limit), RETRAINED, seed=seed)
    result = {
        "model": MODEL,
        "revision": model.revision,
        "forget": FORGET,
        "retain": RETAIN,
        "rule": describe_rule(rule),
        "config": vars(run.config),
        "settings": report.settings,
        "metrics": {row["metric"]: row | {"chance": report[row["metric"]].chance} for row in report.table()},
        "notes": report.notes,
        "seconds": round(report.seconds),
        "versions": report.versions,
        "git_revision": report.git_revision,
        "device": report.device,
    }
    path = RESULTS / "attacks.json"
    path.write_text(json.dumps(result, indent=1, default=str) + "\n", encoding="utf-8")
    Console().print(attacks_table.attacks_table(result))
    tables.write()


if __name__ == "__main__":
    typer.run(main)
