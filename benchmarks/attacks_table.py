"""The tables and section of ``benchmarks/results/attacks.json``: what attacks bring back."""

from __future__ import annotations

from itertools import product
from statistics import mean
from typing import Any

from benchmarks.markdown import markdown, seed_range


def attacks_table(runs: dict[str, Any]) -> str:
    """Attacks as rows, none first and the worst case next; a column a run, and the retrained model."""
    seeds = [metrics for run in runs.values() for metrics in run["seeds"].values()]
    names = [name for name in seeds[0] if not name.startswith("relearning")]
    first = [name for name in names if name.startswith(("plain", "worst"))]
    rows = []
    for name in dict.fromkeys([*first, *names]):
        attack, _, metric = name.partition("/")
        found = [metrics[name] for metrics in seeds if name in metrics]
        cells = [_mean(run, name, "value") for run in runs.values()]
        cells.append(_mean(next(iter(runs.values())), name, "retrained"))
        chance = f"{found[0]['chance']:.2f}" if found[0]["chance"] else "–"
        label = attack if metric == "gold_span" else f"{attack}: {metric.replace('_', ' ')}"
        rows.append([label, *cells, chance, str(found[0]["n"])])
    return markdown(["attack", *runs, "retrained", "chance", "n"], rows)


def relearning_table(runs: dict[str, Any]) -> str:
    """Shares shown and runs as rows, points of the recovery curve as columns: unlearned / retrained model."""
    metrics = next(iter(next(iter(runs.values()))["seeds"].values()))
    curves = [name.removesuffix("_area") for name in metrics if name.endswith("_area")]
    marks = sorted({int(name.rpartition("_")[2]) for name in metrics if "_after_" in name})
    rows = []
    for curve, (label, run) in product(curves, runs.items()):
        share, _, metric = curve.partition("/")
        points = [*(f"{curve}_after_{mark}" for mark in marks), curve, f"{curve}_area"]
        of_run, of_retrained = (
            [mean(seed[point][who] for seed in run["seeds"].values()) for point in points]
            for who in ("value", "retrained")
        )
        cells = [f"{u:.2f} / {r:.2f}" for u, r in zip(of_run, of_retrained, strict=True)]
        shown = f"{int(share.rpartition('_')[2])} %, {metric.replace('_', ' ')}"
        rows.append([shown, label, *cells, _mean(run, f"{curve}_area_between", "value")])
    steps = [f"after {mark} steps" for mark in marks]
    return markdown(["share shown, metric", "run", *steps, "at the end", "area", "area between"], rows)


def _mean(run: dict[str, Any], name: str, who: str) -> str:
    found = [metrics[name][who] for metrics in run["seeds"].values() if name in metrics]
    return seed_range([value for value in found if value is not None])


def section(result: dict[str, Any]) -> str:
    """The section of ``docs/results.md``."""
    runs = result["runs"]
    steps = ", ".join(f"{name} {run['config']['steps']} steps" for name, run in runs.items())
    return f"""## Gone or hidden?

`python -m tokenunlearn bench attacks`: `{result["model"]}` after the default run and after NPO, each as it is
recommended ({steps}; hard selection with the threshold that the scores suggest), and the retrained model
`{result["retrained"]}` under the same attacks on `{result["forget"]}`, see
[metrics.md](metrics.md#attacks-is-it-gone-or-hidden). Values are the share of gold spans stated in the
answers; "worst" takes the most successful attack on each sample. Means over {len(result["seeds"])} seeds of
runs and attacks, in parentheses the smallest and the largest.

{attacks_table(runs)}

Relearning: fine-tuned on a share of the forget set and measured on the other samples, unlearned / retrained
model; the area is the mean height of the recovery curve, and "area between" that of the unlearned model less
the retrained model's.

{relearning_table(runs)}
"""
