"""Complement: self-distillation from the reference's prediction without the true token."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from jaxtyping import Float, Int

from tokenunlearn.objectives.objective import Need, Objective, weighted_mean
from tokenunlearn.objectives.step import ForgetStep
from tokenunlearn.objectives.undial import undial, undial_tokens

if TYPE_CHECKING:
    from torch import Tensor


def complement(
    logits: Float[Tensor, "batch time vocab"],
    ref_logits: Float[Tensor, "batch time vocab"],
    labels: Int[Tensor, "batch time"],
    weights: Float[Tensor, "batch time"],
) -> Float[Tensor, ""]:
    """Weighted cross-entropy to the reference's prediction without the true token, in nats.

    The target is ``softmax(ref_logits)`` with the true token's probability set to 0 and the others scaled to
    sum 1. ``sum(w CE) / sum(w)`` over the tokens of the batch; a token whose label is -100 has weight 0.
    Bounded below by the entropy of the targets.

    Pitfalls: the true token's probability goes to 0, which is less than a model that never saw the answer
    gives it; a ``level`` ends that earlier. Where the reference is certain, little else was ever trained
    there, and the target is mostly noise. Other samples' answers are often what is left. Where the target is
    spread over many tokens, the true one stays the likeliest for long; very small models need more steps.

    Source: UNDIAL, arXiv 2402.10052, for beta -> infinity; CE-U, arXiv 2503.01224, with the reference's
    prediction in place of the model's own.
    """
    return undial(logits, ref_logits, labels, weights, math.inf)


@dataclass(frozen=True)
class Complement(Objective):
    """Distillation from the complement; takes no parameters."""

    needs: ClassVar[frozenset[Need]] = frozenset({"ref_logits"})
    token_mean: ClassVar[bool] = True
    recommended: ClassVar[Mapping[str, Any]] = {"frame": 5.0, "steps": 80, "lr_scheduler_type": "linear"}

    def loss(self, step: ForgetStep) -> Float[Tensor, ""]:
        """Forget loss of one batch."""
        entropy = step.against_reference(lambda z, ref, labels: undial_tokens(z, ref, labels, math.inf))
        return weighted_mean(entropy, step.weights)
