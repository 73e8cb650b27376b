"""UNDIAL: self-distillation from the reference with the true token's logit lowered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from jaxtyping import Float, Int

from tokenunlearn.objectives.objective import Need, Objective, at_least_float32, of_response, weighted_mean
from tokenunlearn.objectives.step import ForgetStep
from tokenunlearn.settings import setting

if TYPE_CHECKING:
    from torch import Tensor


def undial(
    logits: Float[Tensor, "batch time vocab"],
    ref_logits: Float[Tensor, "batch time vocab"],
    labels: Int[Tensor, "batch time"],
    weights: Float[Tensor, "batch time"],
    beta: float,
) -> Float[Tensor, ""]:
    """Weighted cross-entropy to ``softmax(ref_logits - beta * onehot(label))``, in nats.

    ``sum(w CE) / sum(w)`` over the tokens of the batch; a token whose label is -100 has weight 0. Bounded
    below by the entropy of the targets.

    Pitfalls: an implementation that shifts labels but not the ignored id -100 distils on prompt and padding.
    The target is fixed, so a true token that the reference holds with a logit lead
    above beta stays the most likely one.

    Source: arXiv 2402.10052.
    """
    entropy = undial_tokens(logits, ref_logits, labels, beta)
    return weighted_mean(entropy, of_response(weights, labels))


def undial_tokens(
    logits: Float[Tensor, "*batch vocab"],
    ref_logits: Float[Tensor, "*batch vocab"],
    labels: Int[Tensor, "*batch"],
    beta: float,
) -> Float[Tensor, "*batch"]:
    """Each token's cross-entropy to its target, in nats; 0 where the label is -100."""
    ref = at_least_float32(ref_logits)
    label = labels.clamp_min(0).unsqueeze(-1)  # (..., 1)
    target = ref.scatter_add(-1, label, ref.new_full(label.shape, -beta))  # (..., V)
    entropy = -(target.softmax(-1).detach() * at_least_float32(logits).log_softmax(-1)).sum(-1)
    return of_response(entropy, labels)


@dataclass(frozen=True)
class UNDIAL(Objective):
    """Parameters of UNDIAL."""

    beta: float = setting(10.0, "Amount by which the true token's logit is lowered in the target.", above=0)
    needs: ClassVar[frozenset[Need]] = frozenset({"ref_logits"})
    token_mean: ClassVar[bool] = True
    recommended: ClassVar[Mapping[str, Any]] = {"lambda_": 5.0, "steps": 30}

    def loss(self, step: ForgetStep) -> Float[Tensor, ""]:
        """Forget loss of one batch."""
        entropy = step.against_reference(lambda z, ref, labels: undial_tokens(z, ref, labels, self.beta))
        return weighted_mean(entropy, step.weights)
