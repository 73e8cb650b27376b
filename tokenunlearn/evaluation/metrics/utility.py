"""Model utility: what the model still knows, in one figure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from tokenunlearn.errors import TokenUnlearnError
from tokenunlearn.evaluation.metrics.metric import Comparison, LeftOut, SuiteMetric
from tokenunlearn.evaluation.result import RESAMPLES, SEED, MetricResult, draw_interval

UTILITY_METRICS = ("probability", "rouge_l", "truth_ratio")


def model_utility(parts: Sequence[float] | np.ndarray | Mapping[str, float]) -> float:
    """Harmonic mean of the parts, 0 as soon as one of them is 0. Range 0..1.

    TOFU takes nine: probability, ROUGE-L recall and truth ratio on retained samples, real authors and world
    facts.

    Raises:
        TokenUnlearnError: If there are no parts.

    Source: TOFU, arXiv 2401.06121, section 2.2.
    """
    values = np.asarray(list(parts.values() if isinstance(parts, Mapping) else parts), dtype=float)
    if not len(values):
        raise TokenUnlearnError("Model utility needs at least one value to average.")
    if (values <= 0).any():
        return 0.0
    return float(len(values) / (1.0 / values).sum())


def utility_result(parts: Mapping[str, Mapping[str, Sequence[float | None]]]) -> MetricResult:
    """Model utility with a 95 % bootstrap interval that resamples the rows of each part.

    Args:
        parts: Part -> metric -> per-row values, None where the metric does not apply; the metrics of one part
            share their rows. Every metric needs at least one value.
    """
    tables = [_Table(metrics) for metrics in parts.values()]
    value = model_utility(np.concatenate([table.means(slice(None)) for table in tables]))
    rng = np.random.default_rng(SEED)
    resampled = []
    for _ in range(RESAMPLES):
        means = [table.means(rng.integers(0, [table.rows] * table.rows)) for table in tables]
        resampled.append(model_utility(np.concatenate(means)))
    rows = sum(table.rows for table in tables)
    return MetricResult("model_utility", value, rows, draw_interval(np.array(resampled)), "higher")


class _Table:
    """The metrics of one part, (metrics, rows), with the rows that each of them applies to."""

    def __init__(self, metrics: Mapping[str, Sequence[float | None]]) -> None:
        self.present = np.array([[row is not None for row in rows] for rows in metrics.values()])
        self.values = np.array([[row or 0.0 for row in rows] for rows in metrics.values()], dtype=float)
        self.whole = self.values.sum(1) / self.present.sum(1)
        self.rows = self.values.shape[1]

    def means(self, drawn: np.ndarray | slice) -> np.ndarray:
        """(metrics,) mean over the drawn rows; of a metric that none of them has, the mean over all rows."""
        counts = self.present[:, drawn].sum(1)
        return np.where(counts > 0, self.values[:, drawn].sum(1) / np.maximum(counts, 1), self.whole)


def _utility(compared: Comparison) -> list[MetricResult]:
    parts = compared.parts_of("retain", "options")
    if not parts:
        raise LeftOut("No model utility, because there are no retained samples.")
    every = [f"{part}/{metric}" for part in parts for metric in UTILITY_METRICS]
    if missing := [name for name in every if name not in compared.columns]:
        raise LeftOut(f"No model utility, because {missing[0]} is missing.")
    tables = {
        part: {metric: compared.columns[f"{part}/{metric}"].rows for metric in UTILITY_METRICS}
        for part in parts
    }
    result = utility_result(tables)
    if zero := [name for name in every if not compared.columns[name].mean]:
        compared.notes.append(f"Model utility is a harmonic mean, and 0 because of {', '.join(zero)}.")
    retrained = compared.retrained or {}
    if all(name in retrained for name in every):
        result = replace(result, retrained=model_utility([retrained[name].mean for name in every]))
    return [result]


MODEL_UTILITY = SuiteMetric(
    "model_utility",
    "Harmonic mean of probability, ROUGE-L and truth ratio over all retained splits.",
    tuple(f"retained/{name}" for name in UTILITY_METRICS),
    _utility,
)
