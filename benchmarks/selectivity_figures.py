"""What the benchmark of selectivity compares: rules at equal steps and at an equal mean change of NLL."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tokenunlearn.evaluation.result import RESAMPLES, SEED, draw_interval

RULES = ("default", "uniform", "gold", "random", "inverted", "paper")
MEASURES, GROUPS = ("nll", "p"), ("gold", "other")
Figures = dict[str, list[float | None]]


def named(sums: np.ndarray) -> dict[str, Any]:
    """Sums (2, 2, C) as a result file holds them, by measure and group."""
    rounded = np.round(sums, 4).tolist()
    return {m: dict(zip(GROUPS, rows, strict=True)) for m, rows in zip(MEASURES, rounded, strict=True)}


def array(named: Mapping[str, Any]) -> np.ndarray:
    """The inverse of :func:`named`."""
    return np.array([[named[measure][group] for group in GROUPS] for measure in MEASURES])


def comparable(runs: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The runs whose settings, weights and seed apart, are those of the last run; stopped ones left out."""

    def shared(run: Mapping[str, Any]) -> dict[str, Any]:
        settings = run["settings"]
        config = {k: v for k, v in settings["config"].items() if k != "seed"}
        return {k: v for k, v in settings.items() if k != "weights"} | {"config": config}

    return [run for run in runs if shared(run) == shared(runs[-1]) and not run["stopped"]]


def shared_change(changes: Sequence[np.ndarray]) -> float:
    """The largest mean change that every run reaches at one of its measurements or between two."""
    return float(min(change.max() for change in changes))


def reached(change: np.ndarray, target: float) -> float:
    """Where a curve first reaches a target: the index of a measurement, or a place between two.

    >>> reached(np.array([0.0, 1.0, 3.0]), 2.0)
    1.5
    """
    after = int(np.argmax(change >= target))
    if after == 0:
        return 0.0
    return after - 1 + float((target - change[after - 1]) / (change[after] - change[after - 1]))


def interpolated(values: np.ndarray, place: float) -> np.ndarray:
    """A row of ``values``, or what lies between two rows in proportion.

    >>> interpolated(np.array([0.0, 1.0, 3.0]), 1.5)
    np.float64(2.0)
    """
    before = int(place)
    after = min(before + 1, len(values) - 1)
    return values[before] + (place - before) * (values[after] - values[before])


def figures(sums: np.ndarray, start: np.ndarray, counts: np.ndarray) -> Figures:
    """Means over gold and over other tokens, changes of NLL and selectivity, each with its 95 % interval.

    Selectivity is the mean NLL change of gold tokens minus that of other tokens, in nats. Intervals resample
    clusters; with a single cluster there are none.

    Args:
        sums: (2, 2, C) sums of NLL and probability over gold and other tokens of each cluster.
        start: The same before unlearning.
        counts: (2, C) tokens.
    """

    def means(rows: np.ndarray) -> dict[str, np.ndarray]:
        """(R,) each figure for R draws (R, C) of clusters."""
        tokens = counts[:, rows].sum(-1)  # (2, R)
        now, before = (values[..., rows].sum(-1) / tokens for values in (sums, start))  # (2, 2, R)
        change = now[0] - before[0]
        parts = {"nll": now[0], "p": now[1], "change": change}
        by_group = {f"{part}_{group}": v[i] for part, v in parts.items() for i, group in enumerate(GROUPS)}
        return by_group | {"selectivity": change[0] - change[1]}

    size = counts.shape[1]
    draws = np.random.default_rng(SEED).integers(size, size=(RESAMPLES, size))
    with np.errstate(divide="ignore", invalid="ignore"):
        values, spread = means(np.arange(size)[None]), means(draws)
    return {
        name: [_number(x) for x in (value[0], *(draw_interval(spread[name]) if size > 1 else (None, None)))]
        for name, value in values.items()
    }


def _number(value: float | None) -> float | None:
    return None if value is None or not np.isfinite(value) else round(float(value), 5)


def comparison(runs: Sequence[dict[str, Any]], retrained: Mapping[str, Any] | None) -> dict[str, Any]:
    """The table of a model: each rule at equal steps and at equal mean NLL change over all tokens.

    Sums are averaged over seeds. At equal change every resample takes a run's curve at the same place,
    that of the observed change.
    """
    counts = np.array([runs[-1]["counts"][group] for group in GROUPS], dtype=float)
    curves = [np.stack([array(point) for point in run["curve"]]) for run in runs]  # (measurements, 2, 2, C)
    changes = [(curve[:, 0].sum((1, 2)) - curve[0, 0].sum()) / counts.sum() for curve in curves]
    target = shared_change(changes)
    at_change = [
        interpolated(curve, reached(change, target)) for curve, change in zip(curves, changes, strict=True)
    ]
    start = curves[-1][0]
    rows = []
    for rule in (rule for rule in RULES if any(run["rule"] == rule for run in runs)):
        places = [i for i, run in enumerate(runs) if run["rule"] == rule]
        last = [runs[i] for i in places][-1]
        ends = [curves[i][-1] for i in places]
        rows.append(
            {
                "rule": rule,
                "seeds": len(places),
                "selected": last["selected"],
                "weight_on_gold": last["weight_on_gold"],
                "steps": figures(np.mean(ends, axis=0), start, counts),
                "change": figures(np.mean([at_change[i] for i in places], axis=0), start, counts)
                if target > 0
                else None,
            }
        )
    last = runs[-1]
    table = {name: last["settings"][name] for name in ("forget", "retain", "config")} | {
        "samples": last["samples"],
        "clusters": len(last["clusters"]),
        "tokens": last["tokens"],
        "counts": {group: int(row.sum()) for group, row in zip(GROUPS, counts, strict=True)},
        "target": round(target, 4),
        "least_changed": runs[int(np.argmin([change.max() for change in changes]))]["rule"],
        "start": figures(start, start, counts),
        "rows": rows,
    }
    if retrained and retrained["counts"] == last["counts"]:
        never = figures(array(retrained["measured"]), start, counts)
        table |= {"retrained": {"name": retrained["retrained"], "steps": never}}
    return table
