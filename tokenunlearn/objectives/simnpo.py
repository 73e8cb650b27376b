"""SimNPO: NPO without a reference, on the mean token NLL of a sequence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from jaxtyping import Float

from tokenunlearn.objectives.objective import Objective
from tokenunlearn.objectives.step import ForgetStep
from tokenunlearn.settings import setting

if TYPE_CHECKING:
    from torch import Tensor


def simnpo(
    nll: Float[Tensor, "batch time"], weights: Float[Tensor, "batch time"], beta: float, delta: float
) -> Float[Tensor, ""]:
    """Mean over the batch of ``-(2/beta) * log_sigmoid(beta * (sum_t w_t l_t / sum_t w_t - delta))``.

    Pitfalls: without a reference a sample that the model never knew is pushed as hard as one it knows by
    heart until its mean NLL passes delta by several times 1/beta nats. The margin delta is in nats a token,
    so it does not depend on the length. A sequence whose weights are all 0 counts as one of mean NLL 0 and
    has no gradient.

    Source: arXiv 2410.07163, whose margin gamma is beta * delta here.
    """
    from torch.nn.functional import logsigmoid

    mean = (weights * nll).sum(-1) / weights.sum(-1).clamp_min(1e-12)  # (B,)
    return -(2.0 / beta) * logsigmoid(beta * (mean - delta)).mean()


@dataclass(frozen=True)
class SimNPO(Objective):
    """Parameters of SimNPO."""

    beta: float = setting(2.5, "Inverse temperature; larger values stop forgetting earlier.", above=0)
    delta: float = setting(1.0, "Margin on the mean NLL, in nats; larger values forget more.")
    fades: ClassVar[bool] = True
    recommended: ClassVar[Mapping[str, Any]] = {"steps": 25}

    def loss(self, step: ForgetStep) -> Float[Tensor, ""]:
        """Forget loss of one batch."""
        return simnpo(step.nll, step.weights, self.beta, self.delta)
