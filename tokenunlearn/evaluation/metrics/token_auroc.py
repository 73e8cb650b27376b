"""AUROC of a token score against the gold spans: does it rank the secret's tokens above the others?"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tokenunlearn.errors import TokenUnlearnError
from tokenunlearn.evaluation.metrics.roc import auc


def token_auroc(scores: Sequence[np.ndarray], gold: Sequence[np.ndarray]) -> float:
    """Probability that a random gold token scores above a random other one, ties counting half.

    Range 0..1, chance 0.5.

    Args:
        scores: (T_i,) for each sample; pooled over the set.
        gold: (T_i,) bool, tokens of the gold span.

    Raises:
        TokenUnlearnError: If there are no gold tokens or nothing but gold tokens.
    """
    values, inside = np.concatenate(scores), np.concatenate(gold).astype(bool)
    if not inside.any() or inside.all():
        raise TokenUnlearnError("The samples have no gold spans to compare the scores with.")
    return auc(values[inside], values[~inside])
