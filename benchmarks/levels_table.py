"""The table and section of ``benchmarks/results/levels.json``: how well a holdout estimates the level."""

from __future__ import annotations

from typing import Any

SECTION = """## The level of a holdout

`python -m benchmarks.levels`: the level that the default forgets to is the mean NLL, in nats, that the
start model has on the tokens it would select in the holdout. It estimates the mean NLL of the forget set's
selected tokens under the retrained model (95 % bootstrap interval over n samples); the table has both, and
the start model's NLL of the same tokens. Facts met elsewhere: the share of the forget set's facts that
retained samples state too, and the share of the holdout's facts that any trained sample states. Where the
second share is higher, the level tends to come out low: the start model has met more of the holdout's facts
than the retrained model has met of the forget set's, and finds them more probable. The holdout of TOFU has
no marked facts.

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
                ", ".join("–" if share is None else f"{share:.2f}" for share in found["stated"]),
            ]
        )
    header = ["model", "selected tokens", "start model", "level of the holdout", "retrained model"]
    return [*header, "facts met elsewhere"], rows
