"""From one value a row to metrics, beside the retrained model's on the same rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from tokenunlearn.evaluation.judges import Fluency, Judge
from tokenunlearn.evaluation.measurement import Measurement, Part
from tokenunlearn.evaluation.metrics import METRICS, PartMetric, SuiteMetric
from tokenunlearn.evaluation.metrics.metric import Column, Comparison, LeftOut
from tokenunlearn.evaluation.result import MetricResult


def summarize(
    parts: Mapping[str, Part],
    own: Measurement,
    retrained: Measurement | None,
    start: Measurement | None,
    fluency: Fluency,
) -> dict[str, MetricResult]:
    """Every metric by name; what cannot be computed is left out and noted.

    Args:
        parts: The parts of the suite.
        own: What was measured on the model; its notes grow by what was left out, and why, and by what metrics
            note.
        retrained: What is known of the retrained model, or None without one.
        start: What is known of the start model, or None.
        fluency: Says which answers are broken.
    """
    columns = own.columns
    others = {} if retrained is None else retrained.columns
    same = {name: _matched(others.get(name), column) for name, column in columns.items()}
    known = {name: column for name, column in same.items() if column is not None}
    if retrained is not None and (unknown := [name for name in columns if name not in known]):
        own.notes.append(
            f"No value of the retrained model for {', '.join(unknown)}, because it was not measured like "
            "this on all of these rows."
        )
    results: list[MetricResult] = []
    for name, column in columns.items():
        metric = METRICS[name.rpartition("/")[2]]
        assert isinstance(metric, PartMetric)
        results += metric.results(name, column, known.get(name))
    compared = Comparison(
        parts,
        columns,
        retrained=None if retrained is None else known,
        start=start.columns if start else None,
        answers=own.answers,
        retrained_answers=retrained.answers if retrained else {},
        fluency=fluency,
        notes=own.notes,
    )
    for metric in METRICS.values():
        if isinstance(metric, SuiteMetric):
            try:
                results += metric.of(compared)
            except LeftOut as reason:
                own.notes.append(str(reason))
    return {result.name: result for result in results}


def calibrated(
    judge: Judge, parts: Mapping[str, Part], start: Measurement | None, retrained: Measurement | None
) -> Fluency:
    """A judge with a limit set on answers to retained questions, which no run was to change.

    They are the start model's, else the retrained model's, else the true ones; without a part to be retained
    the true answers of all parts.
    """
    kept = [(name, s) for name, part in parts.items() if part.role == "retain" for s in part.samples]
    for model, known in (("start", start), ("retrained", retrained)):
        answers = known.answers if known else {}
        pairs = [(s, answers[name][s.id]) for name, s in kept if s.id in answers.get(name, {})]
        if pairs:
            samples, texts = zip(*pairs, strict=True)
            return Fluency.calibrated(judge, samples, texts, f"answers of the {model} model")
    own = [s for _, s in kept] or [s for part in parts.values() for s in part.samples]
    return Fluency.calibrated(judge, own, [s.answer for s in own], "true answers")


def _matched(retrained: Column | None, own: Column) -> Column | None:
    """The retrained model's column on exactly the rows that this model has values for, or None."""
    if retrained is None:
        return None
    values = retrained.rows_of(own.sample_ids)
    rows = [None if row is None else value for value, row in zip(values, own.rows, strict=True)]
    if [row is None for row in rows] != [row is None for row in own.rows]:
        return None
    return replace(own, rows=tuple(rows))
