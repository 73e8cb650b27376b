"""JensUn: Jensen-Shannon divergence from a refusal on the answer, and from the reference elsewhere."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from jaxtyping import Float

from tokenunlearn.objectives.objective import Need, Objective, weighted_mean
from tokenunlearn.objectives.step import ForgetStep, Refusals, Step

if TYPE_CHECKING:
    from torch import Tensor


def jensun(
    target_nll: Float[Tensor, "batch time"], weights: Float[Tensor, "batch time"]
) -> Float[Tensor, ""]:
    """Weighted mean over the tokens of the batch of ``JSD(p, onehot(target))``, in nats. Range: 0..log 2.

    With q = exp(-target_nll), the probability of the target, the divergence has the closed form
    ``log 2 + (q log q - (1 + q) log(1 + q)) / 2``. The targets are the tokens of a refusal, one for each
    token of the answer, over and over.

    Pitfalls: the gradient fades with q, so a refusal that the model holds next to impossible is hardly
    learned. Hard weights teach the refusal in the middle of a sentence. The authors' code lets every
    position of prompt and answer approach all tokens of the refusal at once, each with target 1, which is no
    distribution; here it is one token a position, answers only.

    Source: arXiv 2509.02820; its retain loss is the regularizer ``js``, its refusal "No idea".
    """
    q = (-target_nll).exp()
    divergence = math.log(2) - (q * target_nll + (1 + q) * q.log1p()) / 2
    return weighted_mean(divergence, weights)


def refusal_targets(refusals: Refusals, time: int) -> Tensor:
    """(B, time) ids: each row's refusal from its first token to its end of turn, over and over."""
    import torch

    place = torch.arange(time, device=refusals.mask.device)[None] % refusals.mask.sum(-1, keepdim=True)
    return refusals.labels.gather(-1, place)


@dataclass(frozen=True)
class JensUn(Objective):
    """JensUn; takes no parameters."""

    needs: ClassVar[frozenset[Need]] = frozenset({"refusals"})
    refusals: ClassVar[tuple[str, ...]] = ("No idea.",)
    token_mean: ClassVar[bool] = True
    recommended: ClassVar[Mapping[str, Any]] = {"regularizer": "js"}

    def loss(self, step: ForgetStep) -> Float[Tensor, ""]:
        """Forget loss of one batch."""
        assert step.refusals is not None
        targets = refusal_targets(step.refusals, step.mask.shape[1])
        return jensun(Step(step.hidden, targets, step.mask, head=step.head).nll, step.weights)
