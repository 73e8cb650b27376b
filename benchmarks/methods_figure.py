"""Draws forget against utility of every method."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from statistics import mean
from typing import Any

from tokenunlearn.objectives import OBJECTIVES

FIGURE = Path(__file__).resolve().parent.parent / "docs" / "images" / "methods.png"
MARKERS = {"sequence-level": "o", "hard": "^", "soft": "s"}


def means(result: dict[str, Any]) -> dict[tuple[str, str], tuple[float, float]]:
    """(objective, weights) -> forget gold spans and utility over the start's, means over seeds."""
    runs = defaultdict(list)
    for run in result["runs"]:
        runs[run["objective"], run["weights"]].append(run["metrics"])
    start = result["start"]["model_utility"]
    return {
        cell: (mean(m["forget/gold_span"] for m in found), mean(m["model_utility"] / start for m in found))
        for cell, found in runs.items()
    }


def draw(results: Sequence[dict[str, Any]], path: Path = FIGURE) -> None:
    """One panel a model: gold-span accuracy on the forget set against utility; the target is shaded."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt
    from matplotlib.lines import Line2D
    from matplotlib.patches import Rectangle

    measured = {run["objective"] for result in results for run in result["runs"]}
    objectives = [name for name in OBJECTIVES if name in measured]
    colors = dict(
        zip(objectives, plt.get_cmap("tab20").colors[::2] + plt.get_cmap("tab20").colors[1::2], strict=False)
    )
    size = (4.6 * len(results) + 1.4, 4.4)
    figure, panels = plt.subplots(
        1, len(results), figsize=size, sharey=True, squeeze=False, layout="constrained"
    )
    for panel, result in zip(panels[0], results, strict=True):
        panel.add_patch(Rectangle((-0.03, 0.9), 0.18, 0.2, color="tab:green", alpha=0.12, lw=0))
        for (objective, rule), (forget, utility) in means(result).items():
            panel.scatter(
                forget,
                utility,
                color=colors[objective],
                marker=MARKERS[rule],
                s=42,
                edgecolor="black",
                lw=0.4,
            )
        panel.scatter(result["start"]["forget/gold_span"], 1, color="grey", marker="*", s=110)
        panel.set(title=f"{result['model']} ({result['architecture'].removesuffix('ForCausalLM')})")
        panel.set(xlabel="gold-span accuracy on the forget set", xlim=(-0.03, 1.05))
        panel.grid(alpha=0.3)
    panels[0][0].set(ylabel="model utility, share of the start model's")
    handles = [Line2D([], [], color=c, marker="o", ls="", label=o) for o, c in colors.items()]
    handles += [
        Line2D([], [], color="white", markeredgecolor="black", marker=m, ls="", label=w)
        for w, m in MARKERS.items()
    ]
    handles.append(Line2D([], [], color="grey", marker="*", ls="", ms=10, label="start model"))
    figure.legend(handles=handles, loc="outside right upper", fontsize=8, frameon=False)
    figure.savefig(path, dpi=110, metadata={"Software": None})
    plt.close(figure)
