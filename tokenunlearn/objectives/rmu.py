"""RMU, representation misdirection: steer the hidden states of forget tokens to a meaningless direction."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from jaxtyping import Float

from tokenunlearn.objectives.objective import Need, Objective, at_least_float32
from tokenunlearn.objectives.step import ForgetStep
from tokenunlearn.settings import setting

if TYPE_CHECKING:
    from torch import Tensor


def rmu(
    hidden: Float[Tensor, "batch time dim"],
    weights: Float[Tensor, "batch time"],
    control: Float[Tensor, " dim"],
) -> Float[Tensor, ""]:
    """Mean over the batch of ``sum_t w_t mean_square(h_t - control) / sum_t w_t``.

    The mean square runs over the hidden dimension; ``control = c * u`` with a fixed random unit vector u. A
    sequence whose weights are all 0 counts 0.

    Pitfalls: adding the control vector does not erase what stands in a state already, so a layer above the
    one in which an answer arises may leave the answer readable. c is measured in the states' own length, so a
    c that suits one model does nothing or everything in another; a run therefore scales it by the reference's
    mean norm at the layer. Forget and retained states easily move together, above all with few steps; the
    published retain loss, the regularizer ``activation``, then holds both in place, and ``kl`` holds the
    answers only. Only layers up to the chosen one are trained, so what later layers store stays there and
    comes back after a few steps of relearning.

    Source: arXiv 2403.03218, section 4; length by the states' norm as in arXiv 2408.06223.
    """
    square = (at_least_float32(hidden) - control).square().mean(-1)  # (B, T)
    return ((weights * square).sum(-1) / weights.sum(-1).clamp_min(1e-12)).mean()


@dataclass(frozen=True)
class RMU(Objective):
    """Parameters of RMU. The layer is the run's setting ``layer``."""

    coefficient: float = setting(
        6.0,
        "Norm of the control vector, in mean norms of the reference model's hidden states at the layer.",
        above=0,
    )
    needs: ClassVar[frozenset[Need]] = frozenset({"states"})
    few_modules: ClassVar[bool] = True
    recommended: ClassVar[Mapping[str, Any]] = {
        "gamma": 0.05,
        "lambda_": 60.0,
        "steps": 200,
        "learning_rate": {"full": 1e-2, "lora": 3e-3},
    }

    def loss(self, step: ForgetStep) -> Float[Tensor, ""]:
        """Forget loss of one batch."""
        assert step.states is not None and step.control is not None
        return rmu(step.states, step.weights, self.coefficient * step.control)
