"""Forget quality: can the truth ratios of the unlearned and the retrained model be told apart?"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float


def forget_quality(
    truth_ratio_a: Float[np.ndarray, " rows"], truth_ratio_b: Float[np.ndarray, " other"]
) -> float:
    """p-value of the two-sided Kolmogorov-Smirnov test between two models' truth ratios. Range 0..1.

    High means that the test cannot tell the models apart; it depends on n, so compare only at equal n.

    Args:
        truth_ratio_a: (rows,) of one model on the forget set, as :func:`truth_ratio` returns them.
        truth_ratio_b: (other,) of the other model.

    Source: TOFU, arXiv 2401.06121, section 2.2.
    """
    from scipy.stats import ks_2samp

    return float(ks_2samp(truth_ratio_a, truth_ratio_b).pvalue)


def ks_statistic(
    truth_ratio_a: Float[np.ndarray, " rows"], truth_ratio_b: Float[np.ndarray, " other"]
) -> float:
    """Largest distance between the two empirical distribution functions of the truth ratios. Range 0..1.

    What :func:`forget_quality` tests; 0 for equal distributions, 1 where the values of one model all lie
    below those of the other. Unlike the p-value it does not shrink as n grows.
    """
    from scipy.stats import ks_2samp

    return float(ks_2samp(truth_ratio_a, truth_ratio_b).statistic)
