"""Exact memorization: how many of an answer's tokens the model predicts."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool

from tokenunlearn.evaluation.metrics.metric import PartMetric


def exact_memorization(correct: Bool[np.ndarray, " time"]) -> float:
    """Share of response tokens predicted right by greedy decoding after the true tokens before. Range 0..1.

    Args:
        correct: (time,) whether each response token is the most probable one, end of turn included.

    Source: the open-unlearning benchmark, arXiv 2506.12618.
    """
    return float(np.mean(np.asarray(correct, dtype=bool)))


EXACT_MEMORIZATION = PartMetric(
    "exact_memorization",
    "Share of response tokens that are the most probable given the true tokens before them.",
    ("tokens",),
    lambda part: [exact_memorization(t.correct) for t in part.tokens],
    roles=("forget", "retain"),
)
