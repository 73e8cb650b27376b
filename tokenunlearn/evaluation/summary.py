"""From one value a row to metrics, beside the retrained model's on the same rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from tokenunlearn.evaluation.measurement import Part
from tokenunlearn.evaluation.metrics import METRICS, PartMetric, SuiteMetric
from tokenunlearn.evaluation.metrics.metric import Column, Comparison, LeftOut
from tokenunlearn.evaluation.result import MetricResult


def summarize(
    parts: Mapping[str, Part],
    columns: Mapping[str, Column],
    retrained: Mapping[str, Column] | None,
    notes: list[str],
) -> dict[str, MetricResult]:
    """Every metric by name; what cannot be computed is left out and noted.

    Args:
        parts: The parts of the suite.
        columns: What was measured on the model.
        retrained: What is known of the retrained model, or None without one.
        notes: What was left out, and why; grows.
    """
    same = {name: _matched((retrained or {}).get(name), column) for name, column in columns.items()}
    known = {name: column for name, column in same.items() if column is not None}
    results: list[MetricResult] = []
    for name, column in columns.items():
        metric = METRICS[name.rpartition("/")[2]]
        assert isinstance(metric, PartMetric)
        results += metric.results(name, column, known.get(name))
    compared = Comparison(parts, columns, None if retrained is None else known)
    for metric in METRICS.values():
        if isinstance(metric, SuiteMetric):
            try:
                results += metric.of(compared)
            except LeftOut as reason:
                notes.append(str(reason))
    return {result.name: result for result in results}


def _matched(retrained: Column | None, own: Column) -> Column | None:
    """The retrained model's column on exactly the rows that this model has values for, or None."""
    if retrained is None:
        return None
    values = dict(zip(retrained.sample_ids, retrained.rows, strict=True))
    rows = [None if row is None else values.get(i) for i, row in zip(own.sample_ids, own.rows, strict=True)]
    if [row is None for row in rows] != [row is None for row in own.rows]:
        return None
    return replace(own, rows=tuple(rows))
