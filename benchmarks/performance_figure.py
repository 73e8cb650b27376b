"""Draws the time of leave-one-out scores by prompt length, and how scoring and steps grow."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any


def draw(results: Mapping[str, Mapping[str, Any]], path: Path) -> None:
    """Log-log panels of medians from smallest to largest: one a model of ``masking``, two of ``scaling``.

    Args:
        results: Stored results by benchmark; those that are missing have no panel.
        path: Where the picture is written.
    """
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    panels = _masking_panels(_rows(results, "masking"))
    panels |= _scaling_panels(_rows(results, "scaling"))
    if not panels:
        return
    figure, axes = plt.subplots(
        1, len(panels), figsize=(4.4 * len(panels), 4.2), squeeze=False, layout="constrained"
    )
    for axis, ((title, size), lines) in zip(axes[0], panels.items(), strict=True):
        for label, points in lines.items():
            sizes = sorted(points)
            medians = [points[s]["median"] for s in sizes]
            ends = [[points[s]["median"] - points[s]["min"] for s in sizes]]
            ends.append([points[s]["max"] - points[s]["median"] for s in sizes])
            width = 2.2 if label == "ours" else 1.2
            axis.errorbar(sizes, medians, ends, marker="o", ms=4, lw=width, capsize=2, label=label)
        axis.set(title=title, xlabel=size, ylabel="s", xscale="log", yscale="log")
        ticks = sorted({s for points in lines.values() for s in points})
        axis.set_xticks(ticks, [f"{s:,}" for s in ticks])
        axis.minorticks_off()
        axis.grid(alpha=0.3)
        axis.legend(fontsize=8, frameon=False)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110, metadata={"Software": None})
    plt.close(figure)


def _rows(results: Mapping[str, Mapping[str, Any]], name: str) -> list[dict[str, Any]]:
    """Rows measured on a CPU; those of other devices are in the tables only."""
    return [row for row in results[name]["rows"] if row["device"] == "CPU"] if name in results else []


def _masking_panels(rows: list[dict[str, Any]]) -> dict[tuple[str, str], dict[str, dict[int, Any]]]:
    """(title, what grows) -> contender -> prompt tokens -> seconds."""
    panels: dict[tuple[str, str], dict[str, dict[int, Any]]] = {}
    for row in rows:
        lines = panels.setdefault((f"leave-one-out, {row['model']}", "prompt tokens, each masked once"), {})
        for name, found in row["contenders"].items():
            lines.setdefault(name, {})[row["prompt"]] = found["seconds"]
    return panels


def _scaling_panels(rows: list[dict[str, Any]]) -> dict[tuple[str, str], dict[str, dict[int, Any]]]:
    """(title, what grows) -> what is done -> size -> seconds."""
    panels: dict[tuple[str, str], dict[str, dict[int, Any]]] = {}
    for row in rows:
        several = f", {row['processes']} processes" if row["processes"] > 1 else ""
        lines = panels.setdefault((f"scaling in {row['along']}", row["along"]), {})
        lines[f"{row['what']}{several}: exponent {row['exponent']:.2f}"] = {
            int(size): found for size, found in row["points"].items()
        }
    return panels
