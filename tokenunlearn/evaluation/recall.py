"""How well a model still knows some samples, by one forward pass over each and no generation."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tokenunlearn.datasets.samples import Sample, SampleSet, evenly_spread
from tokenunlearn.evaluation.metrics.gold_span import spans_recalled
from tokenunlearn.evaluation.metrics.probability import answer_probability
from tokenunlearn.evaluation.result import MetricResult, bootstrap_interval, wilson_interval
from tokenunlearn.models.encoding import Encoding
from tokenunlearn.models.forward import Progress, response_nll, response_nll_and_rank
from tokenunlearn.models.loaded_model import LoadedModel


def recalled_rows(
    model: LoadedModel,
    encodings: Sequence[Encoding],
    samples: Sequence[Sample],
    progress: Progress | None = None,
) -> list[float | None]:
    """Teacher-forced gold-span accuracy of each sample, 0..1; None for one without gold spans."""
    measured = response_nll_and_rank(model, encodings, progress=progress) if encodings else []
    return [
        spans_recalled(ranks.tolist(), encoding.answer_offsets, sample.span)
        for (_, ranks), encoding, sample in zip(measured, encodings, samples, strict=True)
    ]


def recall(
    model: LoadedModel,
    samples: SampleSet | Sequence[Sample],
    limit: int | None = None,
    progress: Progress | None = None,
) -> MetricResult:
    """How much of some samples a model still recalls: a mean over them, 0..1, with a 95 % interval.

    ``spans_recalled`` over the samples that have gold spans, or ``probability`` where none has. The interval
    is Wilson's where every row is 0 or 1, so that it has a width where all are equal, and the bootstrap over
    rows elsewhere.

    Args:
        model: The model.
        samples: At least one sample that fits the model's context, documents in chunks.
        limit: Measure at most this many samples, evenly spread.
        progress: Called after each batch with samples done and samples in all.
    """
    facts = tuple(sample for sample in samples if sample.span and not sample.document)
    measured = evenly_spread(facts or tuple(samples), limit)
    encodings = model.encode_all(measured)
    name, rows = "spans_recalled", recalled_rows(model, encodings, measured, progress) if facts else []
    if all(row is None for row in rows):
        means = np.array([nll.mean().item() for nll in response_nll(model, encodings, progress=progress)])
        name, rows = "probability", answer_probability(means).tolist()
    values = [row for row in rows if row is not None]
    counted = set(values) <= {0, 1}
    return MetricResult(
        name=name,
        value=float(np.mean(values)),
        n=len(values),
        interval=wilson_interval(round(sum(values)), len(values)) if counted else bootstrap_interval(values),
        better="lower",
        rows=tuple(rows),
        sample_ids=tuple(sample.id for sample in measured),
    )
