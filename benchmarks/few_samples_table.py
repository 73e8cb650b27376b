"""The table and section of ``benchmarks/results/few_samples.json``: where runs on a few samples end."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import mean
from typing import Any

from benchmarks.markdown import markdown

SECTION = """## A few samples

`python -m benchmarks.few_samples`: `{model}` forgets a few samples of `{forget}` with the default settings,
different samples for each of {seeds} seeds. Each step reads all of them, and the optimizer's momentum
carries them past the level ({levels} nats). The table has the highest and the last forget NLL of a run, as
multiples of the level, and the share of gold spans recalled afterwards: means, and the range over seeds.
Held: as soon as a step is more than half above the level, all later steps pull back the tokens that are
past it; every run does this. Left alone: the same without it.

{table}
"""


def few_samples_table(result: dict[str, Any]) -> tuple[list[str], list[list[str]]]:
    """Header and rows: a row for each number of samples, held at the level and left alone."""
    rows = []
    for size in dict.fromkeys(run["size"] for run in result["runs"]):
        for name, key in (("held", "default"), ("left alone", "without")):
            runs = [run[key] for run in result["runs"] if run["size"] == size]
            figures = (_over([run[what] for run in runs]) for what in ("highest", "last", "recalled"))
            rows.append([str(size), name, *figures])
    return ["samples", "past the level", "highest", "last", "gold spans recalled"], rows


def section(result: dict[str, Any]) -> str:
    """The section with its table."""
    runs = result["runs"]
    levels = [run["default"]["level"] for run in runs]
    return SECTION.format(
        model=result["model"],
        forget=result["forget"],
        seeds=len({run["seed"] for run in runs}),
        levels=f"{min(levels):.2f} to {max(levels):.2f}",
        table=markdown(*few_samples_table(result)),
    )


def _over(values: Sequence[float]) -> str:
    return f"{mean(values):.2f} ({min(values):.2f} to {max(values):.2f})"
