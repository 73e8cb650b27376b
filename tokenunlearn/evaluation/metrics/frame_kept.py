"""Share of the sentence frame kept: how much of the true answer around the fact is still said."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from tokenunlearn.datasets.samples import Sample, overlaps, word_spans
from tokenunlearn.evaluation.metrics.metric import PartMetric
from tokenunlearn.evaluation.metrics.words import words

if TYPE_CHECKING:
    from tokenunlearn.evaluation.measurement import MeasuredPart


def frame_kept(sample: Sample, answer: str) -> float | None:
    """Share of the true answer's words outside its gold spans that an answer contains in order. Range 0..1.

    None for a sample without gold spans, or with nothing around them.
    """
    spans = [span for span in word_spans(sample.answer) if not overlaps(span, sample.span)]
    frame = [word for start, end in spans for word in words(sample.answer[start:end])]
    return common_words(frame, words(answer)) / len(frame) if sample.span and frame else None


def common_words(a: Sequence[str], b: Sequence[str]) -> int:
    """Length of the longest common subsequence.

    >>> common_words("abcde", "xbdy")
    2
    """
    row = [0] * (len(b) + 1)
    for word in a:
        diagonal = 0
        for j, other in enumerate(b, 1):
            longest = diagonal + 1 if word == other else max(row[j], row[j - 1])
            diagonal, row[j] = row[j], longest
    return row[-1]


def _rows(part: MeasuredPart) -> list[float | None]:
    return [frame_kept(s, answer) for s, answer in zip(part.samples, part.answers, strict=True)]


FRAME_KEPT = PartMetric(
    "frame_kept",
    "Share of the answer's words outside the gold spans that a greedy generation contains in order.",
    ("answers", "facts"),
    _rows,
    roles=("forget",),
    better="retrained",
)
