"""The table and section of ``benchmarks/results/frame.json``: what frame loss and level keep and cost."""

from __future__ import annotations

from statistics import mean
from typing import Any

SECTION = """## Keeping the sentence

`python -m benchmarks.frame`: NPO, hard selection at 0.8, without the frame loss (preset "npo, secret
alone"); the same with `frame = 5`, as is recommended; with a `level` as well, that of the holdout part, which
neither model saw; and the default, which takes its threshold from the scores. Mean over seeds; in
parentheses the smallest and the largest seed, and the rows behind each. Strength, level and the quarter of
tokens that the default adds to the hesitant ones were chosen on seed 0 of `authors`; its other seeds and
`prose` were not looked at before.

{table}

On `prose` the frame loss changes little: its retained answers suffer as much without it.
"""


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
