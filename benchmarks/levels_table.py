"""The table and section of ``benchmarks/results/levels.json``: how well a holdout estimates the level."""

from __future__ import annotations

from typing import Any

SECTION = """## The level of a holdout

`python -m benchmarks.levels`: the mean NLL of what would be selected in the holdout under the start model, in
nats, to which the default forgets; what it estimates, the mean NLL of the selected tokens of the forget set
under the retrained model (95 % bootstrap interval over n samples); and the same under the start model. Facts
met elsewhere: the share of the facts of the forget set that retained samples state too, and of those of the
holdout that any trained sample states. Where the second is higher, the start model is likely to find the
facts of the holdout more probable than the retrained model those of the forget set, and the level comes out
low. The holdout of TOFU has no marked facts.

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
