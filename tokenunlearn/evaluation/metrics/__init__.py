"""Metrics: one file a family; what a suite measures is the list here."""

from __future__ import annotations

from tokenunlearn.evaluation.metrics.accuracy import ACCURACY
from tokenunlearn.evaluation.metrics.depth import DEPTH
from tokenunlearn.evaluation.metrics.exact_memorization import EXACT_MEMORIZATION
from tokenunlearn.evaluation.metrics.extraction_strength import EXTRACTION_STRENGTH
from tokenunlearn.evaluation.metrics.forget_quality import FORGET_QUALITY
from tokenunlearn.evaluation.metrics.frame_kept import FRAME_KEPT
from tokenunlearn.evaluation.metrics.gold_span import GOLD_SPAN, PARAPHRASED_GOLD_SPAN
from tokenunlearn.evaluation.metrics.membership import (
    AGAINST_RETRAINED,
    GRADIENT_NORM,
    LOSS,
    MIN_K,
    MIN_K_PLUS_PLUS,
    ZLIB,
)
from tokenunlearn.evaluation.metrics.metric import (
    ChoiceMetric,
    Metric,
    ModelMetric,
    PartMetric,
    SuiteMetric,
)
from tokenunlearn.evaluation.metrics.outcomes import FORGOTTEN_OUTCOMES
from tokenunlearn.evaluation.metrics.privacy_leakage import PRIVACY_LEAKAGE
from tokenunlearn.evaluation.metrics.probability import PROBABILITY
from tokenunlearn.evaluation.metrics.retained_pairs import RETAINED_PAIRS
from tokenunlearn.evaluation.metrics.rouge import ROUGE_L
from tokenunlearn.evaluation.metrics.truth_ratio import RAW_TRUTH_RATIO, TRUTH_RATIO
from tokenunlearn.evaluation.metrics.utility import MODEL_UTILITY

# In the order of a report. A new metric is one file and one line here.
METRICS: dict[str, Metric] = {
    metric.name: metric
    for metric in (
        PROBABILITY,
        EXACT_MEMORIZATION,
        EXTRACTION_STRENGTH,
        RAW_TRUTH_RATIO,
        TRUTH_RATIO,
        ROUGE_L,
        GOLD_SPAN,
        PARAPHRASED_GOLD_SPAN,
        FRAME_KEPT,
        LOSS,
        ZLIB,
        MIN_K,
        MIN_K_PLUS_PLUS,
        GRADIENT_NORM,
        AGAINST_RETRAINED,
        FORGOTTEN_OUTCOMES,
        RETAINED_PAIRS,
        MODEL_UTILITY,
        FORGET_QUALITY,
        PRIVACY_LEAKAGE,
        DEPTH,
        ACCURACY,
    )
}

__all__ = ["METRICS", "ChoiceMetric", "Metric", "ModelMetric", "PartMetric", "SuiteMetric"]
