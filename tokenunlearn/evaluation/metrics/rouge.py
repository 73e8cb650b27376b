"""ROUGE-L recall of a generation against the answer."""

from __future__ import annotations

from functools import cache
from typing import Any

from tokenunlearn.evaluation.metrics.metric import PartMetric


def rouge_l_recall(prediction: str, reference: str) -> float:
    """Share of the reference's words in the longest common subsequence with the prediction. Range 0..1.

    Words are stemmed.

    Source: TOFU, arXiv 2401.06121, section 2.2; computed by the rouge-score package.
    """
    return float(_scorer().score(reference, prediction)["rougeL"].recall)


@cache
def _scorer() -> Any:
    from rouge_score.rouge_scorer import RougeScorer

    return RougeScorer(["rougeL"], use_stemmer=True)


ROUGE_L = PartMetric(
    "rouge_l",
    "Share of the answer's words that a greedy generation contains in order.",
    ("answers",),
    lambda part: [rouge_l_recall(a, s.answer) for a, s in zip(part.answers, part.samples, strict=True)],
    without={"answers": "no generated answers, because documents have no questions."},
)
