"""One metric's result: value, per-row values, n, 95 % interval, and which way is better."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

Better = Literal["higher", "lower"]
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
        better: Which way is better for a model that should have forgotten the forget set and kept the rest.
        rows: Per-row values; None for rows the metric does not apply to.
        sample_ids: Ids of the rows.
    """

    name: str
    value: float
    n: int
    interval: tuple[float, float] | None
    better: Better
    rows: tuple[float | None, ...] = ()
    sample_ids: tuple[str, ...] = ()


def bootstrap_interval(rows: Sequence[float] | np.ndarray, level: float = 0.95) -> tuple[float, float]:
    """Percentile bootstrap interval of the mean over rows; a single or constant row has an interval of no width."""
    from scipy.stats import bootstrap

    values = np.asarray(rows, dtype=float)
    if len(values) < 2 or np.all(values == values[0]):
        return (float(values[0]), float(values[0])) if len(values) else (float("nan"), float("nan"))
    found = bootstrap(
        (values,),
        np.mean,
        confidence_level=level,
        n_resamples=RESAMPLES,
        method="percentile",
        rng=np.random.default_rng(SEED),
    ).confidence_interval
    return float(found.low), float(found.high)


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
