"""What one training step offers to objectives and regularisers, response positions only."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from jaxtyping import Bool, Float, Int

if TYPE_CHECKING:
    from torch import Tensor


@dataclass
class ForgetStep:
    """A batch of forget samples.

    Attributes:
        logits: (B, T, V) logits that predict each response token, float32.
        labels: (B, T) response token ids.
        weights: (B, T) token weights w_t, 0 outside the response.
        ref_nll: (B, T) token NLL of the reference model, in nats; None for objectives that need no reference.
    """

    logits: Float[Tensor, "batch time vocab"]
    labels: Int[Tensor, "batch time"]
    weights: Float[Tensor, "batch time"]
    ref_nll: Float[Tensor, "batch time"] | None = None

    @cached_property
    def nll(self) -> Float[Tensor, "batch time"]:
        """Token NLL l_t, in nats."""
        from tokenunlearn.forward import token_nll

        return token_nll(self.logits, self.labels)


@dataclass
class RetainStep:
    """A batch of retained samples.

    Attributes:
        logits: (B, T, V) logits that predict each response token, float32.
        labels: (B, T) response token ids.
        mask: (B, T) response mask.
        ref_logits: (B, T, V) logits of the reference model; None for regularisers that need no reference.
    """

    logits: Float[Tensor, "batch time vocab"]
    labels: Int[Tensor, "batch time"]
    mask: Bool[Tensor, "batch time"]
    ref_logits: Float[Tensor, "batch time vocab"] | None = None
