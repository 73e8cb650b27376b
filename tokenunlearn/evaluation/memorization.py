"""How much of an answer the model reproduces token by token."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool


def exact_memorization(correct: Bool[np.ndarray, " time"]) -> float:
    """Share of response tokens predicted right by greedy decoding after the true tokens before. Range 0..1.

    Args:
        correct: (time,) whether each response token is the most probable one, end of turn included.

    Source: the open-unlearning benchmark, arXiv 2506.12618.
    """
    return float(np.mean(np.asarray(correct, dtype=bool)))


def extraction_strength(correct: Bool[np.ndarray, " time"]) -> float:
    """1 - k / T, k being the shortest prefix after which every token is predicted right. Range 0..1.

    0 when the last token is wrong, for then even the whole response as a prefix leaves nothing to extract.

    Args:
        correct: (time,) whether each response token is the most probable one, end of turn included.

    Source: arXiv 2506.12618, with k = T reachable.
    """
    wrong = np.flatnonzero(~np.asarray(correct, dtype=bool))
    return float(1.0 - (wrong[-1] + 1) / len(correct)) if len(wrong) else 1.0
