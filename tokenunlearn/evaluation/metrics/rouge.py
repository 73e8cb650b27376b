"""ROUGE-L recall of a generation against the answer."""

from __future__ import annotations

from functools import cache
from typing import Any


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
