"""Gold-span accuracy: does the generation still state the fact, or would the model write it next?"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from typing import TYPE_CHECKING

from tokenunlearn.datasets.facts import occurrences, whole
from tokenunlearn.datasets.samples import Span, overlaps
from tokenunlearn.evaluation.metrics.metric import PartMetric

if TYPE_CHECKING:
    from tokenunlearn.evaluation.measurement import MeasuredPart


def gold_span_accuracy(generation: str, facts: Sequence[str]) -> float | None:
    """Share of the facts that a generation contains as whole words, whatever their case. Range 0..1.

    In scripts without blanks a fact is whole where it cuts no run of katakana, letters or digits. Texts are
    compared in the normal form NFKC, since a tokenizer may write "ü" in another form than the fact has.

    None for a sample without gold spans.

    >>> gold_span_accuracy("She was born in Ashby.", ["Ash", "ashby"])
    0.5
    """
    if not facts:
        return None
    text = _plain(generation)
    return sum(_says(text, _plain(fact)) for fact in facts) / len(facts)


def _says(text: str, fact: str) -> bool:
    places = [(place, place + len(fact)) for place in occurrences(text, fact)]
    return bool(places and whole(places, text))


def _plain(text: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def spans_recalled(ranks: Sequence[int], offsets: Sequence[Span], spans: Sequence[Span]) -> float | None:
    """Teacher-forced gold-span accuracy: share of the spans that the model would write. Range 0..1.

    A span counts where every token that holds one of its characters has rank 1, given the true tokens before.
    That takes one forward pass and no generation; it is kinder than :func:`gold_span_accuracy`, since a
    wrong token never leads the next one astray. None for a sample without gold spans.

    Args:
        ranks: (T,) rank of each response token, 1 for the most probable one.
        offsets: (T,) character ranges of the tokens in the answer.
        spans: Gold character ranges in the answer.

    >>> spans_recalled([1, 1, 9], [(0, 3), (3, 6), (6, 9)], [(0, 4), (5, 8)])
    0.5
    """
    held = [[rank for rank, o in zip(ranks, offsets, strict=True) if overlaps(o, [span])] for span in spans]
    held = [ranks for ranks in held if ranks]
    return sum(all(rank == 1 for rank in ranks) for ranks in held) / len(held) if held else None


def _rows(part: MeasuredPart, generations: Sequence[str | None]) -> list[float | None]:
    return [
        None if generation is None else gold_span_accuracy(generation, sample.facts)
        for generation, sample in zip(generations, part.samples, strict=True)
    ]


GOLD_SPAN = PartMetric(
    "gold_span",
    "Share of the facts stated in a greedy generation.",
    ("answers", "facts"),
    lambda part: _rows(part, part.answers),
)
PARAPHRASED_GOLD_SPAN = PartMetric(
    "gold_span_paraphrased",
    "The same for the paraphrased questions.",
    ("facts", "paraphrased questions"),
    lambda part: _rows(part, part.paraphrased_answers),
    roles=("forget",),
    without={"paraphrased questions": "no gold spans for paraphrased questions, because it has none."},
)
