"""Forget quality: can the truth ratios of the unlearned and the retrained model be told apart?"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float


def forget_quality(
    truth_ratio_a: Float[np.ndarray, " rows"], truth_ratio_b: Float[np.ndarray, " other"]
) -> float:
    """p-value of the two-sided Kolmogorov-Smirnov test between two models' truth ratios on the forget set. Range 0..1.

    High means that the test cannot tell the models apart; it depends on n, so compare only at equal n.

    Source: TOFU, arXiv 2401.06121, section 2.2.
    """
    from scipy.stats import ks_2samp

    return float(ks_2samp(truth_ratio_a, truth_ratio_b).pvalue)
