"""Privacy leakage: how far membership inference moved from the retrained model's, and which way."""

from __future__ import annotations

import math

import numpy as np

from tokenunlearn.errors import TokenUnlearnError
from tokenunlearn.evaluation.metrics.membership import MIN_K
from tokenunlearn.evaluation.metrics.metric import Comparison, LeftOut, SuiteMetric
from tokenunlearn.evaluation.metrics.roc import auc as area
from tokenunlearn.evaluation.metrics.roc import auc_draws
from tokenunlearn.evaluation.result import Better, MetricResult, draw_interval

# The attack that the leakage is read off, as in MUSE.
ATTACK = MIN_K.name


def privacy_leakage(auc: float, retrained_auc: float) -> float:
    """How far membership inference moved from the retrained model's, ``(retrained - auc) / (1 - retrained)``.

    0 as after retraining; negative where forget samples still look like members (under-forgetting); positive
    where they look less like members than what was never seen (over-forgetting). The benchmark prints it in
    per cent.

    Raises:
        TokenUnlearnError: If the retrained model's AUC is 1.

    Source: MUSE, arXiv 2407.06460, PrivLeak, whose AUC is that of the non-members, ``1 - auc``.
    """
    if retrained_auc >= 1:
        raise TokenUnlearnError(
            "The AUC of the retrained model is 1, so it separates members too and cannot serve as a baseline."
        )
    return (retrained_auc - auc) / (1.0 - retrained_auc)


def leakage_directions(auc: float, retrained_auc: float) -> tuple[float, float]:
    """Under- and over-forgetting apart, each as a share of the way to a perfect attack. Range 0..1.

    Under: from the retrained AUC towards 1, where every forget sample is known for a member. Over: towards 0,
    where every one stands out as less likely than what was never seen, which gives it away as well. NaN where
    an AUC is.
    """
    if math.isnan(auc - retrained_auc):
        return math.nan, math.nan
    under = max(0.0, auc - retrained_auc) / (1.0 - retrained_auc) if retrained_auc < 1 else 0.0
    over = max(0.0, retrained_auc - auc) / retrained_auc if retrained_auc > 0 else 0.0
    return under, over


def _leakage(compared: Comparison) -> list[MetricResult]:
    """The signed leakage, and both directions apart."""
    column = compared.columns.get(ATTACK)
    if compared.retrained is None or column is None:
        return []
    if ATTACK not in compared.retrained:
        raise LeftOut(f"No privacy leakage, because the retrained model has no {ATTACK} on these rows.")
    own, retrained = column.groups, compared.retrained[ATTACK].groups
    try:
        value = privacy_leakage(area(*own), area(*retrained))
    except TokenUnlearnError as error:
        raise LeftOut(f"No privacy leakage: {error}") from None
    pairs = list(zip(auc_draws(*own), auc_draws(*retrained), strict=True))
    signed = np.array([privacy_leakage(a, b) for a, b in pairs if b < 1])
    sides = np.array([leakage_directions(a, b) for a, b in pairs])
    under, over = leakage_directions(area(*own), area(*retrained))
    figures: tuple[tuple[str, float, np.ndarray, Better], ...] = (
        ("privacy_leakage", value, signed, "retrained"),
        ("privacy_leakage_under", under, sides[:, 0], "lower"),
        ("privacy_leakage_over", over, sides[:, 1], "lower"),
    )
    return [
        MetricResult(name, figure, len(column.rows), draw_interval(draws), better, retrained=0.0)
        for name, figure, draws, better in figures
    ]


PRIVACY_LEAKAGE = SuiteMetric(
    "privacy_leakage",
    "Relative difference between the membership AUC and that of the retrained model.",
    (ATTACK, "the retrained model"),
    _leakage,
)
