"""Regularisers: what holds the model in place on retained samples, response tokens only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from jaxtyping import Bool, Float

from tokenunlearn.objectives.step import RetainStep

if TYPE_CHECKING:
    from torch import Tensor


def kl_to_reference(
    logits: Float[Tensor, "batch time vocab"],
    ref_logits: Float[Tensor, "batch time vocab"],
    mask: Bool[Tensor, "batch time"],
) -> Float[Tensor, ""]:
    """KL(ref || model), mean over masked tokens, in nats. Range: >= 0, and 0 where both agree.

    Source: arXiv 2605.00364, KL regularisation; forward KL as in TOFU, arXiv 2401.06121, but on response
    tokens only.
    """
    import torch

    log_p = torch.log_softmax(logits[mask].float(), dim=-1)  # (N, V)
    ref_log_p = torch.log_softmax(ref_logits[mask].float(), dim=-1)
    return (ref_log_p.exp() * (ref_log_p - log_p)).sum(-1).mean()


@dataclass(frozen=True)
class KLToReference:
    """KL divergence from the model before unlearning."""

    needs_reference: ClassVar[bool] = True

    def loss(self, step: RetainStep) -> Float[Tensor, ""]:
        """Retain loss of one batch."""
        assert step.ref_logits is not None
        return kl_to_reference(step.logits, step.ref_logits, step.mask)


@dataclass(frozen=True)
class RetainNLL:
    """Mean token NLL of the retained responses, in nats; with gradient ascent this is GradDiff."""

    needs_reference: ClassVar[bool] = False

    def loss(self, step: RetainStep) -> Float[Tensor, ""]:
        """Retain loss of one batch."""
        from tokenunlearn.forward import token_nll

        return token_nll(step.logits, step.labels)[step.mask].mean()
