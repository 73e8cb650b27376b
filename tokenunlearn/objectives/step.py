"""What one training step offers to objectives, weightings and regularisers, response positions only."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from jaxtyping import Bool, Float, Int

if TYPE_CHECKING:
    from torch import Tensor


@dataclass
class Refusals:
    """The refusals that take the place of a batch's answers, one a forget sample.

    Attributes:
        nll: (B, R) token NLL, in nats.
        ref_nll: (B, R) the same under the reference model.
        mask: (B, R) response mask.
    """

    nll: Float[Tensor, "batch refusal"]
    ref_nll: Float[Tensor, "batch refusal"]
    mask: Bool[Tensor, "batch refusal"]


@dataclass
class ForgetStep:
    """A batch of forget samples. What an objective does not name in its ``needs`` is None.

    Attributes:
        logits: (B, T, V) logits that predict each response token, float32.
        labels: (B, T) response token ids.
        mask: (B, T) response mask.
        weights: (B, T) token weights w_t, 0 outside the response.
        ref_nll: (B, T) token NLL of the reference model, in nats.
        ref_logits: (B, T, V) logits of the reference model.
        base_nll: (B, T) token NLL of a model that never saw the forget set, in nats.
        states: (B, T, d) output of the run's hidden layer at the positions that predict each response token.
        control: (d,) a fixed random direction, as long as the reference's states are on average.
        refusals: Refusals in place of the answers.
    """

    logits: Float[Tensor, "batch time vocab"]
    labels: Int[Tensor, "batch time"]
    mask: Bool[Tensor, "batch time"]
    weights: Float[Tensor, "batch time"]
    ref_nll: Float[Tensor, "batch time"] | None = None
    ref_logits: Float[Tensor, "batch time vocab"] | None = None
    base_nll: Float[Tensor, "batch time"] | None = None
    states: Float[Tensor, "batch time dim"] | None = None
    control: Float[Tensor, " dim"] | None = None
    refusals: Refusals | None = None

    @cached_property
    def nll(self) -> Float[Tensor, "batch time"]:
        """Token NLL l_t, in nats."""
        from tokenunlearn.forward import token_nll

        return token_nll(self.logits, self.labels)


@dataclass
class RetainStep:
    """A batch of retained samples. What a regulariser does not name in its ``needs`` is None.

    Attributes:
        logits: (B, T, V) logits that predict each response token, float32.
        labels: (B, T) response token ids.
        mask: (B, T) response mask.
        ref_logits: (B, T, V) logits of the reference model.
        states: (B, T, d) output of the run's hidden layer.
        ref_states: (B, T, d) the same of the reference model.
    """

    logits: Float[Tensor, "batch time vocab"]
    labels: Int[Tensor, "batch time"]
    mask: Bool[Tensor, "batch time"]
    ref_logits: Float[Tensor, "batch time vocab"] | None = None
    states: Float[Tensor, "batch time dim"] | None = None
    ref_states: Float[Tensor, "batch time dim"] | None = None
