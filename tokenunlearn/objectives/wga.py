"""WGA, weighted gradient ascent: gradient ascent that lets go of tokens as they become unlikely."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from jaxtyping import Float

from tokenunlearn.objectives.objective import Objective, weighted_mean
from tokenunlearn.objectives.step import ForgetStep
from tokenunlearn.settings import setting

if TYPE_CHECKING:
    from torch import Tensor


def wga(
    nll: Float[Tensor, "batch time"], weights: Float[Tensor, "batch time"], beta: float
) -> Float[Tensor, ""]:
    """``-sum(w p^beta l) / sum(w)`` over the tokens of the batch, in nats; p^beta is detached.

    beta = 0 is gradient ascent.

    Pitfalls: the strength falls with p and so nothing drives p to 0. Scaling the factors p^beta to mean 1 in
    each response, as the weighting ``wga`` does by default, undoes exactly that; there the published scale
    is an option, here it is the rule.

    Source: arXiv 2502.19301; beta as in SatImp, arXiv 2505.11953.
    """
    from tokenunlearn.objectives.weightings import wga_weights

    return -weighted_mean(wga_weights(nll, weights > 0, beta) * nll, weights)


@dataclass(frozen=True)
class WGA(Objective):
    """Parameters of WGA."""

    beta: float = setting(
        1.0, "Power of the token probability; larger values stop forgetting earlier.", minimum=0
    )
    fades: ClassVar[bool] = True
    token_mean: ClassVar[bool] = True
    recommended: ClassVar[Mapping[str, Any]] = {"steps": 25}

    def loss(self, step: ForgetStep) -> Float[Tensor, ""]:
        """Forget loss of one batch."""
        return wga(step.nll, step.weights, self.beta)
