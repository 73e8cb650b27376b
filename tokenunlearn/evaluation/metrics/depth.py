"""Unlearning depth: how much of a forgotten fact is also gone from the hidden states, layer by layer."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from tokenunlearn.evaluation.metrics.metric import ModelMetric, Models
from tokenunlearn.evaluation.result import MetricResult, mean_result

if TYPE_CHECKING:
    from tokenunlearn.datasets.samples import SampleSet
    from tokenunlearn.models.forward import Progress

Patched = Float[np.ndarray, "layers tokens"]
# Nats that a patch with the retrained model's states must cost at least, for the fact to be read there.
LEAST_LOSS = 0.05


def depth_map(lost: Patched, lost_retrained: Patched) -> Patched:
    """How much of the way from the start to the retrained model is covered, by layer and gold token.

    0 where the unlearned model's hidden states serve the start model's upper layers as well as the start
    model's own, 1 where no better than the retrained model's. NaN where the retrained model's states cost
    less than 0.05 nats, so that they hold as much of the fact as the start model's.

    Args:
        lost: Log-probability of each gold token that the unlearned model's states cost, in nats.
        lost_retrained: The same for the retrained model's states.

    >>> depth_map(np.array([[0.5, 3.0]]), np.array([[2.0, 2.0]]))
    array([[0.25, 1.  ]])
    """
    share = np.full(np.shape(lost), np.nan)
    np.divide(lost, lost_retrained, out=share, where=lost_retrained > LEAST_LOSS)
    return share.clip(0.0, 1.0)


def depth_score(lost: Patched, lost_retrained: Patched) -> float | None:
    """The depth of one sample over all layers. Range 0..1, None where no layer holds the fact.

    Losses are averaged over the gold tokens; each layer weighs as much as the retrained model's states cost.

    Args:
        lost: Log-probability of each gold token that the unlearned model's states cost, in nats.
        lost_retrained: The same for the retrained model's states.

    Source: the unlearning depth score, arXiv 2605.24614.
    """
    own, full = lost.mean(1), lost_retrained.mean(1)
    holds = full > LEAST_LOSS
    if not holds.any():
        return None
    return float(np.clip(own, 0.0, full)[holds].sum() / full[holds].sum())


def _result(models: Models, samples: SampleSet, progress: Progress) -> MetricResult | None:
    from tokenunlearn.evaluation.depth_patching import unlearning_depth

    maps = unlearning_depth(models.model, models.start, models.retrained, samples, progress=progress)
    scores = {m.sample_id: m.score for m in maps}
    ids = [sample.id for sample in samples]
    result = mean_result("depth", [scores.get(i) for i in ids], ids, "higher")
    ones = tuple(None if scores.get(i) is None else 1.0 for i in ids)
    return result and replace(result, retrained=1.0, retrained_rows=ones)


DEPTH = ModelMetric(
    "depth",
    "Share of the way from the start to the retrained model that hidden states have gone.",
    ("the start model", "the retrained model", "facts"),
    _result,
)
