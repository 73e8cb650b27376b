"""Regularizers: what holds the model in place on retained samples, response tokens only."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from jaxtyping import Bool, Float

from tokenunlearn.objectives.objective import at_least_float32
from tokenunlearn.objectives.step import RetainStep

if TYPE_CHECKING:
    from torch import Tensor


def kl_to_reference(
    logits: Float[Tensor, "batch time vocab"],
    ref_logits: Float[Tensor, "batch time vocab"],
    mask: Bool[Tensor, "batch time"],
) -> Float[Tensor, ""]:
    """KL(ref || model), mean over masked tokens, in nats. Range: >= 0, and 0 where both agree.

    Source: arXiv 2605.00364, KL regularization; forward KL as in TOFU, arXiv 2401.06121, but on response
    tokens only.
    """
    return kl_tokens(logits[mask], ref_logits[mask]).mean()


def kl_tokens(
    logits: Float[Tensor, "*batch vocab"], ref_logits: Float[Tensor, "*batch vocab"]
) -> Float[Tensor, "*batch"]:
    """KL(ref || model) of each token, in nats."""
    import torch

    log_p = torch.log_softmax(at_least_float32(logits), dim=-1)  # (..., V)
    ref_log_p = torch.log_softmax(at_least_float32(ref_logits), dim=-1)
    return (ref_log_p.exp() * (ref_log_p - log_p)).sum(-1)


def js_tokens(
    logits: Float[Tensor, "*batch vocab"], ref_logits: Float[Tensor, "*batch vocab"]
) -> Float[Tensor, "*batch"]:
    """Jensen-Shannon divergence of each token, in nats. Range: 0..log 2.

    Source: retain loss of JensUn, arXiv 2509.02820.
    """
    import torch

    log_p = torch.log_softmax(at_least_float32(logits), dim=-1)  # (..., V)
    ref_log_p = torch.log_softmax(at_least_float32(ref_logits), dim=-1)
    log_mean = torch.logaddexp(log_p, ref_log_p) - math.log(2)
    both = log_p.exp() * (log_p - log_mean) + ref_log_p.exp() * (ref_log_p - log_mean)
    return both.sum(-1) / 2


def activation_distance(
    hidden: Float[Tensor, "batch time dim"],
    ref_hidden: Float[Tensor, "batch time dim"],
    mask: Bool[Tensor, "batch time"],
) -> Float[Tensor, ""]:
    """Mean square difference of hidden states, over masked tokens and the hidden dimension. Range: >= 0.

    Pitfall: it holds the model up to the layer the states are taken from; layers above are free.

    Source: retain loss of RMU, arXiv 2403.03218, section 4.
    """
    return (at_least_float32(hidden[mask]) - at_least_float32(ref_hidden[mask])).square().mean()


class Regularizer(ABC):
    """A retain loss L_r.

    Attributes:
        needs: What a step must offer; see :class:`~tokenunlearn.objectives.step.RetainStep`.
    """

    needs: ClassVar[frozenset[str]] = frozenset()

    @abstractmethod
    def loss(self, step: RetainStep) -> Float[Tensor, ""]:
        """Scalar loss of one batch of retained samples."""


@dataclass(frozen=True)
class KLToReference(Regularizer):
    """KL divergence from the model before unlearning."""

    needs: ClassVar[frozenset[str]] = frozenset({"ref_logits"})

    def loss(self, step: RetainStep) -> Float[Tensor, ""]:
        """Retain loss of one batch."""
        return step.mean_against_reference(lambda z, ref, _: kl_tokens(z, ref))


@dataclass(frozen=True)
class JSToReference(Regularizer):
    """Jensen-Shannon divergence from the model before unlearning."""

    needs: ClassVar[frozenset[str]] = frozenset({"ref_logits"})

    def loss(self, step: RetainStep) -> Float[Tensor, ""]:
        """Retain loss of one batch."""
        return step.mean_against_reference(lambda z, ref, _: js_tokens(z, ref))


@dataclass(frozen=True)
class RetainNLL(Regularizer):
    """Mean token NLL of the retained responses, in nats."""

    def loss(self, step: RetainStep) -> Float[Tensor, ""]:
        """Retain loss of one batch."""
        from tokenunlearn.models.forward import token_nll

        return step.mean(token_nll)


@dataclass(frozen=True)
class ActivationDistance(Regularizer):
    """Mean square distance of the hidden layer's states from the reference's."""

    needs: ClassVar[frozenset[str]] = frozenset({"states", "ref_states"})

    def loss(self, step: RetainStep) -> Float[Tensor, ""]:
        """Retain loss of one batch."""
        assert step.states is not None and step.ref_states is not None
        return activation_distance(step.states, step.ref_states, step.mask)
