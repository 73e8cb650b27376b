"""Forget quality: can the truth ratios of the unlearned and the retrained model be distinguished?"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from tokenunlearn.evaluation.metrics.metric import Comparison, LeftOut, SuiteMetric
from tokenunlearn.evaluation.result import MetricResult


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


def _quality(compared: Comparison) -> list[MetricResult]:
    """The test between this model's truth ratios and the retrained model's on the same rows."""
    if compared.retrained is None:
        return []
    own, retrained = (
        columns.get("forget/truth_ratio_raw") for columns in (compared.columns, compared.retrained)
    )
    if own is None or retrained is None:
        raise LeftOut("No forget quality, because there is no truth ratio on the forget set.")
    measured = ~np.isnan(own.values)
    ratios = own.values[measured], retrained.values[measured]
    n = len(ratios[0])
    return [
        MetricResult("forget_quality", forget_quality(*ratios), n, None, "higher", retrained=1.0),
        MetricResult("forget_ks_statistic", ks_statistic(*ratios), n, None, "lower", retrained=0.0),
    ]


FORGET_QUALITY = SuiteMetric(
    "forget_quality",
    "p-value of a Kolmogorov-Smirnov test against the truth ratios of the retrained model.",
    ("forget/truth_ratio_raw", "the retrained model"),
    _quality,
)
