"""One metric's result: value, per-row values, n, 95 % interval, direction, the retrained model's value."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Literal

import numpy as np

Better = Literal["higher", "lower", "retrained"]
ARROWS: dict[str, str] = {"higher": "↑", "lower": "↓", "retrained": "→"}
RESAMPLES = 1000
SEED = 0


@dataclass(frozen=True)
class MetricResult:
    """One metric on one part of a benchmark.

    Attributes:
        name: "part/metric", or the metric alone where it spans parts.
        value: The figure; NaN when it cannot be computed.
        n: Rows behind it.
        interval: 95 % bootstrap interval over rows, or None where there is none (a p-value has none).
        better: Which way is better for a model that should have forgotten the forget set and kept the rest;
            "retrained" where nothing but the retrained model's own value is right.
        rows: Per-row values; None for rows the metric does not apply to.
        chance: What guessing gives, or None where there is nothing to guess.
        sample_ids: Ids of the rows.
        retrained: The same figure of the retrained model on the same rows, or None when it is not known.
        retrained_rows: Its per-row values; () where they are not known.
    """

    name: str
    value: float
    n: int
    interval: tuple[float, float] | None
    better: Better
    rows: tuple[float | None, ...] = ()
    chance: float | None = None
    sample_ids: tuple[str, ...] = ()
    retrained: float | None = None
    retrained_rows: tuple[float | None, ...] = ()


def bootstrap_interval(rows: Sequence[float] | np.ndarray) -> tuple[float, float]:
    """95% percentile bootstrap interval of the mean; the same rows always give the same interval.

    A single row, or rows that are all equal, have an interval of no width. No rows, or a row that is no
    finite number, have (NaN, NaN).
    """
    from scipy.stats import bootstrap

    values = np.asarray(rows, dtype=float)
    if not len(values) or not np.isfinite(values).all():
        return float("nan"), float("nan")
    if np.all(values == values[0]):
        value = float(values.mean())
        return value, value
    interval = bootstrap(
        (values,),
        np.mean,
        n_resamples=RESAMPLES,
        method="percentile",
        rng=np.random.default_rng(SEED),
    ).confidence_interval
    return float(interval.low), float(interval.high)


def draw_interval(draws: np.ndarray, level: float = 0.95) -> tuple[float, float]:
    """The middle share of bootstrap draws of a figure; (NaN, NaN) when a draw is not finite."""
    if not len(draws) or not np.isfinite(draws).all():
        return float("nan"), float("nan")
    low, high = np.quantile(draws, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def mean_result(
    name: str, rows: Sequence[float | None], sample_ids: Sequence[str], better: Better
) -> MetricResult | None:
    """The mean over the rows that have a value, or None when none has."""
    values = [row for row in rows if row is not None]
    if not values:
        return None
    return MetricResult(
        name=name,
        value=float(np.mean(values)),
        n=len(values),
        interval=bootstrap_interval(values),
        better=better,
        rows=tuple(None if row is None else float(row) for row in rows),
        sample_ids=tuple(sample_ids),
    )


def normal_quantile(level: float) -> float:
    """Half the width of the interval that holds a share of the standard normal distribution."""
    return NormalDist().inv_cdf((1 + level) / 2)


def wilson_interval(successes: float, n: int, level: float = 0.95) -> tuple[float, float]:
    """Wilson score interval of a share, which also has a width where all rows are equal. Range 0..1.

    Source: Wilson 1927, "Probable inference, the law of succession, and statistical inference", JASA 22.
    """
    z = normal_quantile(level)
    share, scale = successes / n, 1 + z * z / n
    middle = (share + z * z / (2 * n)) / scale
    half = z * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n)) / scale
    return max(middle - half, 0.0), min(middle + half, 1.0)


def share_result(
    name: str,
    rows: Sequence[float | None],
    sample_ids: Sequence[str],
    better: Better,
    retrained: Sequence[float | None] = (),
) -> MetricResult:
    """A share of rows that are 1, 0, or None where it does not apply, with a 95 % Wilson interval.

    Args:
        name: Of the metric.
        rows: Values; at least one is not None.
        sample_ids: Ids of the rows.
        better: Which way is better.
        retrained: Values of the retrained model on the same rows; () where they are not known.
    """
    known = [row for row in retrained if row is not None]
    values = [row for row in rows if row is not None]
    return MetricResult(
        name=name,
        value=sum(values) / len(values),
        n=len(values),
        interval=wilson_interval(int(sum(values)), len(values)),
        better=better,
        rows=tuple(rows),
        sample_ids=tuple(sample_ids),
        retrained=sum(known) / len(known) if known else None,
        retrained_rows=tuple(retrained),
    )
