"""The table and section of ``benchmarks/results/reached.json``: how many facts a selection reaches."""

from __future__ import annotations

from typing import Any

from benchmarks.markdown import markdown

SECTION = """## Facts that are reached

`python -m benchmarks.reached`: the share of a forget set's facts of which hard selection selects no token,
so that nothing unlearns them, and in parentheses the mean share of a fact's tokens that it selects. The
columns are the default, with the share of all tokens that it selects, and thresholds that select a given
share of all tokens. The gold spans of one answer count as one fact, n in all. The default has 95 %
intervals (Wilson for the shares, bootstrap over facts for the means).

{table}
"""


def reached_table(result: dict[str, Any]) -> tuple[list[str], list[list[str]]]:
    """Header and rows: models as rows, selections as columns."""
    rows, shares = [], []
    for name, found in result["models"].items():
        default, *others = found["rules"].values()
        shares = [f"{100 * float(rule):g} %" for rule in list(found["rules"])[1:]]
        (missed, *between), (coverage, *around) = default["missed"], default["coverage"]
        rows.append(
            [
                f"`{name}`, {found['reading']}",
                str(default["facts"]),
                f"{100 * default['selected']:.0f} %: {missed:.2f} ({between[0]:.2f} to {between[1]:.2f}), "
                f"{coverage:.2f} ({around[0]:.2f} to {around[1]:.2f})",
                *(f"{other['missed'][0]:.2f} ({other['coverage'][0]:.2f})" for other in others),
            ]
        )
    return ["model, reading", "n", "default", *shares], rows


def section(result: dict[str, Any]) -> str:
    """The section with its table."""
    return SECTION.format(table=markdown(*reached_table(result)))
