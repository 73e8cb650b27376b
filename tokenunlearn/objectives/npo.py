"""NPO, negative preference optimization: push a sequence below the reference, ever more gently."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from jaxtyping import Float

from tokenunlearn.objectives.objective import Need, Objective
from tokenunlearn.objectives.step import ForgetStep
from tokenunlearn.settings import setting

if TYPE_CHECKING:
    from torch import Tensor


def npo(
    nll: Float[Tensor, "batch time"],
    ref_nll: Float[Tensor, "batch time"],
    weights: Float[Tensor, "batch time"],
    beta: float,
) -> Float[Tensor, ""]:
    """Mean over the batch of ``-(2/beta) * log_sigmoid(beta * sum_t w_t (l_t - l_t^ref))``.

    The gradient of a sequence fades once its weighted NLL has risen by several times 1/beta nats, so beta
    sets how far forgetting goes: beta -> 0 is gradient ascent on the sum, a large beta stops early.

    Pitfall: because the sum runs over tokens, selecting fewer of them lets each rise further before the
    gradient fades; one beta does not mean the same under hard, soft and uniform weights.

    Source: arXiv 2404.05868, equation 3.
    """
    from torch.nn.functional import logsigmoid

    rise = (weights * (nll - ref_nll)).sum(-1)  # (B,)
    return -(2.0 / beta) * logsigmoid(beta * rise).mean()


@dataclass(frozen=True)
class NPO(Objective):
    """Parameters of NPO."""

    beta: float = setting(0.2, "Inverse temperature; larger values stop forgetting earlier.", above=0)
    needs: ClassVar[frozenset[Need]] = frozenset({"ref_nll"})
    fades: ClassVar[bool] = True
    # At lambda 10 a small model keeps its other answers; SmolLM2-135M loses a third of them (docs/method.md).
    # Without the frame loss twice as many forgotten answers are broken sentences (docs/results.md).
    recommended: ClassVar[Mapping[str, Any]] = {"lambda_": 60.0, "frame": 5.0}

    def loss(self, step: ForgetStep) -> Float[Tensor, ""]:
        """Forget loss of one batch."""
        assert step.ref_nll is not None
        return npo(step.nll, step.ref_nll, step.weights, self.beta)
