"""The table and section of ``benchmarks/results/depth.json``: how deep several objectives go."""

from __future__ import annotations

from statistics import mean
from typing import Any

from tokenunlearn.evaluation.depth_maps import load_depth
from tokenunlearn.evaluation.result import mean_result
from tokenunlearn.folders import ASSETS
from tokenunlearn.runs.run_files import DEPTH
from tokenunlearn.runs.store import RunStore

SECTION = """## Unlearning depth

`python -m benchmarks.depth`: `{model}` forgets `{forget}` with the default settings (AltNPO to the level of
the holdout), without the level, and with NPO, each with uniform weights too; with NPO for 80 steps at a
learning rate that falls to 0; and with other objectives. The measure is defined in
[metrics.md](metrics.md#depth). 0: the start model's upper layers read the fact from the hidden states as
before; 1: they find no more of it than in `{retrained}`. Means over seeds, with the smallest and the
largest seed in parentheses, and n questions. Measuring takes {seconds:.0f} s for {n} questions, median over
runs, on 2 cores under other load.

{table}

The run of SmolLM2 in this repository has a depth of {shipped}, over the layers
from which on its model learned the answers; in those below there is nothing to lose. The page Compare shows
it by layer and token.
"""


def shipped_depth() -> str:
    """Depth of the shipped run over all layers, with interval and n."""
    run = RunStore(ASSETS / "runs").runs()[0]
    maps = load_depth(run.folder / DEPTH)
    depth = mean_result("depth", [m.score for m in maps], [m.sample_id for m in maps], "higher")
    assert depth is not None and depth.interval is not None
    return "{:.3f} (95 % CI {:.3f} to {:.3f}, n = {})".format(depth.value, *depth.interval, depth.n)


def depth_table(result: dict[str, Any]) -> tuple[list[str], list[list[str]]]:
    """Header and rows: all layers together and each alone as rows, the variants as columns."""
    groups: dict[str, list[dict[str, Any]]] = {}
    for run in result["runs"]:
        groups.setdefault(run["variant"], []).append(run)
    header = [
        "",
        *(f"{variant}, {len(runs)} seed{'s' * (len(runs) > 1)}" for variant, runs in groups.items()),
    ]
    rows = [["all layers", *(_cell([run["depth"] for run in runs]) for runs in groups.values())]]
    for layer in result["runs"][0]["layers"]:
        cells = (_cell([run["layers"][layer] for run in runs]) for runs in groups.values())
        rows.append([f"layer {layer}", *cells])
    return header, rows


def _cell(figures: list[list[float] | None]) -> str:
    known = [figure for figure in figures if figure is not None]
    if not known:
        return "–"
    values = [figure[0] for figure in known]
    return f"{mean(values):.3f} ({min(values):.3f} to {max(values):.3f}, n = {known[0][3]})"
