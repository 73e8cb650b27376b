"""The table and section of ``benchmarks/results/frame.json``: what frame loss and level keep and cost."""

from __future__ import annotations

from statistics import mean
from typing import Any

SECTION = """## Keeping the sentence

`python -m benchmarks.frame`: NPO, hard selection at 0.8, without the frame loss (preset "npo, secret
alone"); the same with `frame = 5`, as is recommended; and NPO as it is recommended, with the threshold that
the scores suggest. Mean over seeds; in parentheses the smallest and the largest seed, and the rows behind
each. Strength and the quarter of tokens that the suggestion adds to the hesitant ones were chosen on seed 0
of `authors`. That it selects at
least 15 % of all tokens was chosen after seed 0 of `prose`, where .167 of the answers leaked without it: the
other seeds are the held-out test of training, but the tokens are the same in all.

{table}

On `prose` the frame loss changes little: its retained answers suffer as much without it.

Objectives and learning rate schedules, with the suggested threshold and the settings that each recommends.
The default is `altnpo` with the level that the run measures on the holdout; `no level` is the same
without, and `rescored` scores the forget set again every ten steps. The prose has no holdout, so no level
either. `npo, falling rate` is NPO for 80 steps at a learning rate that falls to 0, which `altnpo` and
`complement` have too. That, and alpha of `altnpo`, was chosen on seed 0 of `authors` and `prose`. What
`alternative` hides, its lambda and its steps were chosen on seed 0 of `authors`; `idk` and `jensun` were
not tuned. `smollm2` is `smollm2-authors` with an adapter of rank 8; its default has the level since the
runs without had gone too far, and `alternative` has 40 steps there:

{objectives}
"""
# Variants that differ in objective or learning rate; idk and jensun push towards a refusal.
OBJECTIVES = (
    "default",
    "no level",
    "rescored",
    "npo",
    "npo, falling rate",
    "complement",
    "alternative",
    "idk",
    "jensun",
)


def tables_of(result: dict[str, Any]) -> dict[str, tuple[list[str], list[list[str]]]]:
    """Header and rows of the two tables of the section, by their names in it."""
    runs = result["runs"]
    objectives = [run for name in OBJECTIVES for run in runs if run["variant"] == name]
    frame = [run for run in runs if run not in objectives or run["variant"] == "npo"]
    return {
        "table": frame_table(result | {"runs": frame}),
        "objectives": frame_table(result | {"runs": objectives}),
    }


def frame_table(result: dict[str, Any]) -> tuple[list[str], list[list[str]]]:
    """Header and rows: metrics by the variants of each suite and its retrained model, mean over seeds."""
    groups: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for run in sorted(result["runs"], key=lambda run: run["suite"]):
        groups.setdefault((run["suite"], run["variant"]), []).append(run["metrics"])
    columns: dict[str, list[dict[str, Any]]] = {}
    for (suite, variant), runs in groups.items():
        columns[f"{suite}: {variant}, {len(runs)} seed{'s' * (len(runs) > 1)}"] = runs
    for suite in dict.fromkeys(suite for suite, _ in groups):
        columns[f"{suite}: retrained"] = [result["retrained"][suite]]
    metrics = dict.fromkeys(name for runs in columns.values() for run in runs for name in run)
    rows = [[f"`{name}`", *(_cell(runs, name) for runs in columns.values())] for name in metrics]
    return ["", *columns], rows


def _cell(runs: list[dict[str, Any]], name: str) -> str:
    values = [run[name][0] for run in runs if name in run]
    if not values:
        return "–"
    n = next(run[name][1] for run in runs if name in run)
    spread = f"{min(values):.3f} to {max(values):.3f}, " if len(values) > 1 else ""
    return f"{mean(values):.3f} ({spread}n = {n})"
