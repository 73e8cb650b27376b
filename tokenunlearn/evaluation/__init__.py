"""Evaluation: what was forgotten, what was kept; one file per metric family.

``evaluate`` runs models, so it is imported when first used; the metrics themselves load no torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tokenunlearn.evaluation.claims import Verdict
from tokenunlearn.evaluation.metrics.exact_memorization import exact_memorization
from tokenunlearn.evaluation.metrics.extraction_strength import extraction_strength
from tokenunlearn.evaluation.metrics.forget_quality import forget_quality
from tokenunlearn.evaluation.metrics.privacy_leakage import privacy_leakage
from tokenunlearn.evaluation.metrics.roc import auc, tpr_at_fpr
from tokenunlearn.evaluation.metrics.rouge import rouge_l_recall
from tokenunlearn.evaluation.metrics.truth_ratio import truth_ratio
from tokenunlearn.evaluation.metrics.utility import model_utility
from tokenunlearn.evaluation.report import Report
from tokenunlearn.evaluation.result import MetricResult

if TYPE_CHECKING:
    from tokenunlearn.evaluation.suites.suite import evaluate as evaluate

__all__ = [
    "MetricResult",
    "Report",
    "Verdict",
    "auc",
    "evaluate",
    "exact_memorization",
    "extraction_strength",
    "forget_quality",
    "model_utility",
    "privacy_leakage",
    "rouge_l_recall",
    "tpr_at_fpr",
    "truth_ratio",
]


def __getattr__(name: str) -> Any:
    """Import ``evaluate`` from the module it lives in."""
    if name != "evaluate":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from tokenunlearn.evaluation.suites.suite import evaluate

    return evaluate
