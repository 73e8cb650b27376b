"""Gradient ascent: raise the NLL of the forget tokens."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from jaxtyping import Float

from tokenunlearn.objectives.objective import Objective, weighted_mean
from tokenunlearn.objectives.step import ForgetStep

if TYPE_CHECKING:
    from torch import Tensor


def gradient_ascent(
    nll: Float[Tensor, "batch time"], weights: Float[Tensor, "batch time"]
) -> Float[Tensor, ""]:
    """Negative weighted mean NLL over the tokens of the batch, in nats: ``-sum(w l) / sum(w)``.

    Pitfall: unbounded below; without a strong regularizer or few steps the model breaks down. A batch whose
    weights are all 0 has loss 0.

    Source: TOFU, arXiv 2401.06121, gradient ascent.
    """
    return -weighted_mean(nll, weights)


@dataclass(frozen=True)
class GradientAscent(Objective):
    """Gradient ascent; takes no parameters."""

    token_mean: ClassVar[bool] = True
    recommended: ClassVar[Mapping[str, Any]] = {"lambda_": 30.0, "steps": 25}

    def loss(self, step: ForgetStep) -> Float[Tensor, ""]:
        """Forget loss of one batch."""
        return gradient_ascent(step.nll, step.weights)
