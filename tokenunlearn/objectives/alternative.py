"""Alternative: learn what the reference finds most plausible in place of the true token."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from jaxtyping import Float, Int

from tokenunlearn.objectives.objective import Need, Objective, of_response, weighted_mean
from tokenunlearn.objectives.step import ForgetStep

if TYPE_CHECKING:
    from torch import Tensor


def alternative(
    logits: Float[Tensor, "batch time vocab"],
    ref_logits: Float[Tensor, "batch time vocab"],
    labels: Int[Tensor, "batch time"],
    weights: Float[Tensor, "batch time"],
) -> Float[Tensor, ""]:
    """Weighted mean NLL of the reference's most likely token other than the true one, in nats.

    ``sum(w l) / sum(w)`` over the tokens of the batch; a token whose label is -100 has weight 0. Range: >= 0.

    The alternative comes from the reference itself: at a place where it expects a town it is another town.
    Another sample's answer would need spans and types that users' samples do not have, and would teach one
    person's facts of another on purpose.

    Pitfalls: the model learns one definite wrong answer, so it is more certain than a model that never saw
    the question, and the answer may be another sample's. Behind a name's first token the alternative is that
    of the true name.

    Source: alternative labels as in arXiv 2310.02238, section 2, but from the reference without the true
    token, not from the difference to a model that was trained further.
    """
    return weighted_mean(alternative_tokens(logits, ref_logits, labels), of_response(weights, labels))


def alternative_tokens(
    logits: Float[Tensor, "*batch vocab"],
    ref_logits: Float[Tensor, "*batch vocab"],
    labels: Int[Tensor, "*batch"],
) -> Float[Tensor, "*batch"]:
    """The NLL of each token's alternative, in nats; 0 where the label is -100."""
    import torch

    from tokenunlearn.models.forward import token_nll

    label = labels.clamp_min(0).unsqueeze(-1)  # (..., 1)
    others = ref_logits.scatter(-1, label, -torch.inf)  # (..., V)
    return of_response(token_nll(logits, others.argmax(-1)), labels)


@dataclass(frozen=True)
class Alternative(Objective):
    """Learning the alternative; takes no parameters."""

    needs: ClassVar[frozenset[Need]] = frozenset({"ref_logits"})
    token_mean: ClassVar[bool] = True
    recommended: ClassVar[Mapping[str, Any]] = {"frame": 5.0}

    def loss(self, step: ForgetStep) -> Float[Tensor, ""]:
        """Forget loss of one batch."""
        return weighted_mean(step.against_reference(alternative_tokens), step.weights)
