"""IDK: learn a refusal in place of the whole answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from jaxtyping import Bool, Float

from tokenunlearn.objectives.objective import Need, Objective
from tokenunlearn.objectives.step import ForgetStep

if TYPE_CHECKING:
    from torch import Tensor


def idk(
    win_nll: Float[Tensor, "batch refusal"],
    win_mask: Bool[Tensor, "batch refusal"],
    weights: Float[Tensor, "batch time"],
) -> Float[Tensor, ""]:
    """Mean over the batch of each refusal's mean token NLL, in nats. Range: >= 0.

    A refusal takes the place of the whole answer, so the answer's weights only say which samples are
    refused: one whose weights are all 0 counts 0.

    Pitfalls: nothing lowers the probability of the answer itself, which stays one sampled prefix away.
    Questions of the same form are refused too, unless the retain loss is strong.

    Source: TOFU, arXiv 2401.06121, where the refusals' NLL is one half of the loss and that of the retained
    answers the other.
    """
    mean = (win_mask * win_nll).sum(-1) / win_mask.sum(-1)  # (B,)
    return (mean * (weights > 0).any(-1)).mean()


@dataclass(frozen=True)
class IDK(Objective):
    """Learning refusals; takes no parameters."""

    needs: ClassVar[frozenset[Need]] = frozenset({"refusals"})
    recommended: ClassVar[Mapping[str, Any]] = {"lambda_": 30.0}

    def loss(self, step: ForgetStep) -> Float[Tensor, ""]:
        """Forget loss of one batch."""
        assert step.refusals is not None
        return idk(step.refusals.nll, step.refusals.mask, step.weights)
