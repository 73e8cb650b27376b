"""Redirect: cross-entropy to what the reference would say if the true token did not exist."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from jaxtyping import Float, Int

from tokenunlearn.objectives.objective import Need, Objective, at_least_float32, of_response, weighted_mean
from tokenunlearn.objectives.step import ForgetStep

if TYPE_CHECKING:
    from torch import Tensor


def redirect(
    logits: Float[Tensor, "batch time vocab"],
    ref_logits: Float[Tensor, "batch time vocab"],
    labels: Int[Tensor, "batch time"],
    weights: Float[Tensor, "batch time"],
) -> Float[Tensor, ""]:
    """Weighted cross-entropy to the reference's distribution without the true token, renormalized, in nats.

    ``sum(w CE) / sum(w)`` over the tokens of the batch; a token whose label is -100 has weight 0. Bounded
    below by the entropy of the targets, so it ends by itself.

    The target is the limit of UNDIAL's for an unbounded beta, and CE-U's with the reference in place of the
    present model: fixed, and never the true token, however sure the reference was of it.

    Pitfall: the probability of the true token goes to 0, also where a model that never saw the answer would
    have given it some.

    Source: this project's; kin to UNDIAL, arXiv 2402.10052, and CE-U, arXiv 2503.01224.
    """
    entropy = redirect_tokens(logits, ref_logits, labels)
    return weighted_mean(entropy, of_response(weights, labels))


def redirect_tokens(
    logits: Float[Tensor, "*batch vocab"],
    ref_logits: Float[Tensor, "*batch vocab"],
    labels: Int[Tensor, "*batch"],
) -> Float[Tensor, "*batch"]:
    """Each token's cross-entropy to its target, in nats; 0 where the label is -100."""
    import torch

    label = labels.clamp_min(0).unsqueeze(-1)  # (..., 1)
    target = at_least_float32(ref_logits).detach().scatter(-1, label, -torch.inf).softmax(-1)  # (..., V)
    return of_response(-(target * at_least_float32(logits).log_softmax(-1)).sum(-1), labels)


@dataclass(frozen=True)
class Redirect(Objective):
    """Redirect; takes no parameters."""

    needs: ClassVar[frozenset[Need]] = frozenset({"ref_logits"})
    token_mean: ClassVar[bool] = True
    recommended: ClassVar[Mapping[str, Any]] = {"lambda_": 5.0, "steps": 30}

    def loss(self, step: ForgetStep) -> Float[Tensor, ""]:
        """Forget loss of one batch."""
        return weighted_mean(step.against_reference(redirect_tokens), step.weights)
