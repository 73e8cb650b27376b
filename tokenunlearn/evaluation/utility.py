"""Model utility: what the model still knows, in one figure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from tokenunlearn.evaluation.result import RESAMPLES, SEED, MetricResult


def model_utility(parts: Sequence[float] | Mapping[str, float]) -> float:
    """Harmonic mean of the parts, 0 as soon as one of them is 0. Range 0..1.

    TOFU takes nine: probability, ROUGE-L recall and truth ratio on retained samples, real authors and world facts.

    Source: TOFU, arXiv 2401.06121, section 2.2.
    """
    values = np.asarray(list(parts.values() if isinstance(parts, Mapping) else parts), dtype=float)
    if (values <= 0).any():
        return 0.0
    return float(len(values) / (1.0 / values).sum())


def utility_result(parts: Mapping[str, Mapping[str, Sequence[float]]]) -> MetricResult:
    """Model utility with a bootstrap interval that resamples the rows of each part.

    Args:
        parts: Part -> metric -> per-row values; the metrics of one part share their rows.
    """
    tables = [np.array([list(rows) for rows in metrics.values()]) for metrics in parts.values()]  # (metrics, rows)
    value = model_utility(np.concatenate([table.mean(1) for table in tables]))
    rng = np.random.default_rng(SEED)
    resampled = []
    for _ in range(RESAMPLES):
        means = [table[:, rng.integers(0, table.shape[1], table.shape[1])].mean(1) for table in tables]
        resampled.append(model_utility(np.concatenate(means)))
    low, high = np.quantile(resampled, [0.025, 0.975])
    rows = sum(table.shape[1] for table in tables)
    return MetricResult("model_utility", value, rows, (float(low), float(high)), "higher")
