"""ROUGE-L recall of a generation against the answer."""

from __future__ import annotations

from functools import cache
from typing import Any

from tokenunlearn.evaluation.metrics.metric import PartMetric
from tokenunlearn.evaluation.metrics.words import words


def rouge_l_recall(prediction: str, reference: str) -> float:
    """Share of the reference's words in the longest common subsequence with the prediction. Range 0..1.

    Words of ASCII letters are stemmed as English ones; others, which the rouge-score package would cut at
    every other letter or leave out, are compared whole.

    Source: TOFU, arXiv 2401.06121, section 2.2; computed by the rouge-score package.

    >>> rouge_l_recall("Er wohnt in Österfurt.", "In Österfurt"), rouge_l_recall("東京です", "東京")
    (1.0, 1.0)
    """
    return float(_scorer().score(reference, prediction)["rougeL"].recall)


@cache
def _scorer() -> Any:
    from rouge_score.rouge_scorer import RougeScorer
    from rouge_score.tokenizers import DefaultTokenizer, Tokenizer

    class Words(Tokenizer):  # type: ignore[misc]
        """The package's words of ASCII letters, and all others."""

        published = DefaultTokenizer(use_stemmer=True)

        def tokenize(self, text: str) -> list[str]:
            """Its words, folded."""
            if text.isascii():
                return list(self.published.tokenize(text))
            return [
                part for w in words(text) for part in (self.published.tokenize(w) if w.isascii() else [w])
            ]

    return RougeScorer(["rougeL"], tokenizer=Words())


ROUGE_L = PartMetric(
    "rouge_l",
    "Share of the answer's words that a greedy generation contains in order.",
    ("answers",),
    lambda part: [rouge_l_recall(a, s.answer) for a, s in zip(part.answers, part.samples, strict=True)],
    without={"answers": "no generated answers, because documents have no questions."},
)
