"""The table and section of ``benchmarks/results/levels.json``: how well a holdout estimates the level."""

from __future__ import annotations

from typing import Any

SECTION = """## The level of a holdout

`python -m benchmarks.levels`: the mean NLL of what would be selected in the holdout under the start model, in
nats, to which the default forgets; what it estimates, the mean NLL of the selected tokens of the forget set
under the retrained model (95 % bootstrap interval over n samples); and the same under the start model.

{table}
"""


def levels_table(result: dict[str, Any]) -> tuple[list[str], list[list[str]]]:
    """Header and rows: models as rows."""
    rows = []
    for name, found in result["models"].items():
        value, low, high, n = found["retrained"]
        rows.append(
            [
                f"`{name}`",
                f"{found['selected']} of {found['tokens']}",
                f"{found['start']:.2f}",
                f"{found['level']:.2f} (`{found['holdout']}`)",
                f"{value:.2f} ({low:.2f} to {high:.2f}, n = {n})",
            ]
        )
    return ["model", "selected tokens", "start model", "level of the holdout", "retrained model"], rows
