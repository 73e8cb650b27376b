"""The tables and section of ``benchmarks/results/attacks.json``: what attacks bring back."""

from __future__ import annotations

from typing import Any

from benchmarks.markdown import markdown


def attacks_table(runs: dict[str, Any]) -> str:
    """Attacks as rows, none first and the worst case next; a column a run, and the retrained model."""
    first = next(iter(runs.values()))["metrics"]
    names = [name for name in first if not name.startswith(("relearning", "plain", "worst"))]
    rows = []
    for name in [n for n in first if n.startswith(("plain", "worst"))] + names:
        attack, _, metric = name.partition("/")
        label = attack if metric == "gold_span" else f"{attack}: {metric.replace('_', ' ')}"
        row = first[name]
        retrained = "–" if row["retrained"] is None else f"{row['retrained']:.3f}"
        chance = f"{row['chance']:.2f}" if row["chance"] else "–"
        rows.append(
            [label, *(_attacked(run["metrics"].get(name)) for run in runs.values()), retrained, chance]
        )
    return markdown(["attack", *runs, "retrained", "chance"], rows)


def relearning_table(result: dict[str, Any]) -> str:
    """Shares shown and measures as rows, points of the recovery curve as columns: unlearned / retrained."""
    metrics = result["metrics"]
    curves = [name.removesuffix("_area") for name in metrics if name.endswith("_area")]
    marks = sorted({int(name.rpartition("_")[2]) for name in metrics if "_after_" in name})
    rows = []
    for curve in curves:
        share, _, metric = curve.partition("/")
        points = [
            *(metrics[f"{curve}_after_{mark}"] for mark in marks),
            metrics[curve],
            metrics[f"{curve}_area"],
        ]
        between = metrics[f"{curve}_area_between"]
        rows.append(
            [
                f"{int(share.rpartition('_')[2])} %, {metric.replace('_', ' ')}",
                *(f"{point['value']:.2f} / {point['retrained']:.2f}" for point in points),
                f"{between['value']:+.3f} ({between['low']:+.3f} to {between['high']:+.3f})",
            ]
        )
    steps = [f"after {mark} steps" for mark in marks]
    return markdown(["share shown, metric", *steps, "at the end", "area", "area between (95 % CI)"], rows)


def _attacked(row: dict[str, Any] | None) -> str:
    """Value, interval and n."""
    if row is None:
        return "–"
    interval = "" if row["low"] is None else f"{row['low']:.3f} to {row['high']:.3f}, "
    return f"{row['value']:.3f} ({interval}n = {row['n']})"


def section(result: dict[str, Any]) -> str:
    """The section of ``docs/results.md``."""
    runs = result["runs"]
    steps = ", ".join(f"{name} {run['config']['steps']} steps" for name, run in runs.items())
    curves = "\n\n".join(f"{name}:\n\n{relearning_table(run)}" for name, run in runs.items())
    return f"""## Gone or hidden?

`python -m tokenunlearn bench attacks`: `{result["model"]}` after the default run and after NPO, each as it is
recommended ({steps}; hard selection with the threshold that the scores suggest, seed
{result["settings"]["seed"]}), and the retrained model `{result["retrained"]}` under the same attacks on
`{result["forget"]}`, see [metrics.md](metrics.md#attacks-is-it-gone-or-hidden). Values are the share of gold
spans stated in the answers, with 95 % CI; "worst" takes the most successful attack on each sample.

{attacks_table(runs)}

{chr(10).join(f"- {name}: {' '.join(run['notes'])}" for name, run in runs.items())}

Relearning: fine-tuned on a share of the forget set and measured on the other samples, unlearned / retrained
model; the area is the mean height of the recovery curve.

{curves}
"""
