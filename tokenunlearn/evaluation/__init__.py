"""Evaluation: what was forgotten, what was kept; one file per metric family."""

from tokenunlearn.evaluation.forget_quality import forget_quality
from tokenunlearn.evaluation.membership import privacy_leakage
from tokenunlearn.evaluation.memorization import exact_memorization, extraction_strength
from tokenunlearn.evaluation.report import Report
from tokenunlearn.evaluation.result import MetricResult
from tokenunlearn.evaluation.roc import auc, tpr_at_fpr
from tokenunlearn.evaluation.rouge import rouge_l_recall
from tokenunlearn.evaluation.suite import evaluate
from tokenunlearn.evaluation.truth_ratio import truth_ratio
from tokenunlearn.evaluation.utility import model_utility

__all__ = [
    "MetricResult",
    "Report",
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
