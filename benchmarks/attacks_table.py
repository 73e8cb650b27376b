"""The tables and section of ``benchmarks/results/attacks.json``: what attacks bring back."""

from __future__ import annotations

from typing import Any

from benchmarks.markdown import markdown


def attacks_table(result: dict[str, Any]) -> str:
    """Attacks as rows, without attack first and the worst case next; the retrained model beside."""
    metrics = result["metrics"]
    names = [name for name in metrics if not name.startswith(("relearning", "plain", "worst"))]
    rows = []
    for name in [n for n in metrics if n.startswith(("plain", "worst"))] + names:
        row = metrics[name]
        attack, _, metric = name.partition("/")
        label = attack if metric == "gold_span" else f"{attack}: {metric.replace('_', ' ')}"
        rows.append([label, *_attacked(row), f"{row['chance']:.2f}" if row["chance"] else "–", str(row["n"])])
    return markdown(["attack", "unlearned", "95 % CI", "retrained", "chance", "n"], rows)


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


def _attacked(row: dict[str, Any]) -> list[str]:
    """Value, interval and the retrained model's value."""
    interval = "–" if row["low"] is None else f"{row['low']:.3f} to {row['high']:.3f}"
    retrained = "–" if row["retrained"] is None else f"{row['retrained']:.3f}"
    return [f"{row['value']:.3f}", interval, retrained]


def section(result: dict[str, Any]) -> str:
    """The section of ``docs/results.md``."""
    settings = result["settings"]
    threshold = result["rule"]["threshold"]
    return f"""## Gone or hidden?

`python -m tokenunlearn bench attacks`: `{result["model"]}` after {result["config"]["steps"]} steps of
{result["config"]["objective"]} with hard selection (preset `leave-one-out`, threshold {threshold}) and
no frame loss, seed {settings["seed"]}, and the retrained model `{settings["retrained"]}` under the same
attacks on `{result["forget"]}`, see [metrics.md](metrics.md#attacks-is-it-gone-or-hidden). Values are the
share of gold spans stated in the answers; "worst" takes the most successful attack on each sample.
{" ".join(result["notes"])}

{attacks_table(result)}

Relearning: fine-tuned on a share of the forget set and measured on the other samples, unlearned / retrained
model; the area is the mean height of the recovery curve.

{relearning_table(result)}
"""
