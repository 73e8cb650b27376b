"""ROC of a score that should be higher for members: its area, and the rate found at few false alarms."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float

from tokenunlearn.errors import TokenUnlearnError
from tokenunlearn.evaluation.result import RESAMPLES, SEED

Scores = Float[np.ndarray, " rows"]
FALSE_POSITIVE_RATE = 0.01


def auc(members: Scores, others: Scores) -> float:
    """Probability that a random member scores above a random other, ties counting half. Range 0..1.

    Chance is 0.5.

    Raises:
        TokenUnlearnError: If one of the two groups is empty.
    """
    from scipy.stats import mannwhitneyu

    members, others = _both(members, others)
    return float(mannwhitneyu(members, others).statistic / (len(members) * len(others)))


def found_members(
    members: Scores, others: Scores, false_positive_rate: float = FALSE_POSITIVE_RATE
) -> Bool[np.ndarray, " rows"]:
    """Which members score above the lowest threshold that at most this share of the others exceeds.

    With fewer than ``1 / false_positive_rate`` others that is the highest score among them.

    Raises:
        TokenUnlearnError: If one of the two groups is empty.
    """
    members, others = _both(members, others)
    return members > _threshold(others, false_positive_rate)


def tpr_at_fpr(members: Scores, others: Scores, false_positive_rate: float = FALSE_POSITIVE_RATE) -> float:
    """Share of members found while at most this share of the others is taken for members. Range 0..1.

    Chance is the false positive rate, and 0 where it allows no other at all. NaN where a score is.

    Source: Carlini et al., arXiv 2112.03570, section 3.
    """
    found = found_members(members, others, false_positive_rate)
    return float("nan") if np.isnan([*members, *others]).any() else float(found.mean())


def auc_draws(members: Scores, others: Scores) -> Float[np.ndarray, " draws"]:
    """AUC of bootstrap resamples that draw members and others apart.

    Equal sizes draw the same rows, so that two models can be compared draw by draw.
    """
    members, others = _both(members, others)
    rng = np.random.default_rng(SEED)
    wins = (members[:, None] > others) + 0.5 * (members[:, None] == others)  # (members, others)
    drawn = [rng.multinomial(n, np.full(n, 1 / n), size=RESAMPLES) for n in wins.shape]
    return ((drawn[0] @ wins) * drawn[1]).sum(1) / wins.size


def tpr_draws(
    members: Scores, others: Scores, false_positive_rate: float = FALSE_POSITIVE_RATE
) -> Float[np.ndarray, " draws"]:
    """The true positive rate of the same kind of resamples, each with its own threshold."""
    members, others = _both(members, others)
    rng = np.random.default_rng(SEED)
    picked = rng.choice(others, size=(RESAMPLES, len(others)))
    drawn_members = rng.choice(members, size=(RESAMPLES, len(members)))
    return (drawn_members > _threshold(picked, false_positive_rate)[:, None]).mean(1)


def _threshold(others: np.ndarray, false_positive_rate: float) -> np.ndarray:
    allowed = int(false_positive_rate * others.shape[-1])
    threshold: np.ndarray = np.sort(others, axis=-1)[..., -1 - min(allowed, others.shape[-1] - 1)]
    return threshold


def _both(members: Scores, others: Scores) -> tuple[np.ndarray, np.ndarray]:
    if not len(members) or not len(others):
        raise TokenUnlearnError("An AUC needs rows of both members and non-members.")
    return np.asarray(members, dtype=float), np.asarray(others, dtype=float)
