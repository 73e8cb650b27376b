"""CE-U: cross-entropy to the model's own prediction without the true token."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from jaxtyping import Float, Int

from tokenunlearn.objectives.objective import Objective, at_least_float32, of_response, weighted_mean
from tokenunlearn.objectives.step import ForgetStep

if TYPE_CHECKING:
    from torch import Tensor


def ceu(
    logits: Float[Tensor, "batch time vocab"],
    labels: Int[Tensor, "batch time"],
    weights: Float[Tensor, "batch time"],
) -> Float[Tensor, ""]:
    """Weighted cross-entropy to the model's own softmax with the label's logit removed, in nats.

    The target is ``softmax`` of the detached logits with the label at minus infinity, so the gradient moves
    the label's probability to the others in proportion to their present probabilities and fades as it goes.
    ``sum(w CE) / sum(w)`` over the tokens of the batch; a token whose label is -100 has weight 0.

    Pitfalls: the authors' code leaves out the first answer token; here the weights alone decide. The value
    may rise while forgetting goes well, because the target moves with the model.

    Source: arXiv 2503.01224.
    """
    return weighted_mean(ceu_tokens(logits, labels), of_response(weights, labels))


def ceu_tokens(
    logits: Float[Tensor, "*batch vocab"], labels: Int[Tensor, "*batch"]
) -> Float[Tensor, "*batch"]:
    """Each token's cross-entropy to the softmax without the label, in nats; 0 where the label is -100."""
    import torch

    scores = at_least_float32(logits)
    label = labels.clamp_min(0).unsqueeze(-1)  # (..., 1)
    others = scores.detach().scatter(-1, label, -torch.inf).softmax(-1)  # (..., V)
    return of_response(-(others * scores.log_softmax(-1)).sum(-1), labels)


@dataclass(frozen=True)
class CEU(Objective):
    """CE-U; takes no parameters."""

    token_mean: ClassVar[bool] = True
    recommended: ClassVar[Mapping[str, Any]] = {"lambda_": 5.0, "steps": 25}

    def loss(self, step: ForgetStep) -> Float[Tensor, ""]:
        """Forget loss of one batch."""
        return weighted_mean(step.per_token(ceu_tokens), step.weights)
