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
