"""Extraction strength: how little of an answer the model must see to write the rest."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool

from tokenunlearn.evaluation.metrics.metric import PartMetric


def extraction_strength(correct: Bool[np.ndarray, " time"], published: bool = False) -> float:
    """1 - k / T, k being the shortest prefix after which every token is predicted right. Range 0..1.

    0 when the last token is wrong, for then even the whole response as a prefix leaves nothing to extract.

    Args:
        correct: (time,) whether each response token is the most probable one, end of turn included.
        published: As the benchmark computes it: k stops at T - 1, so that the least value is 1 / T.

    Source: arXiv 2506.12618, with k = T reachable.
    """
    wrong = np.flatnonzero(~np.asarray(correct, dtype=bool))
    prefix = int(wrong[-1]) + 1 if len(wrong) else 0
    return 1.0 - min(prefix, len(correct) - 1 if published else len(correct)) / len(correct)


EXTRACTION_STRENGTH = PartMetric(
    "extraction_strength",
    "Share of the response that remains after the shortest prefix that predicts all later tokens.",
    ("tokens",),
    lambda part: [
        extraction_strength(t.correct, part.forms.extraction_strength == "published") for t in part.tokens
    ],
    roles=("forget", "retain"),
)
