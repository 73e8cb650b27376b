"""TPO, targeted preference optimization: lower the selected tokens' logits, keep the others likely."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from jaxtyping import Bool, Float, Int

from tokenunlearn.objectives.objective import Need, Objective, at_least_float32, of_response
from tokenunlearn.objectives.step import ForgetStep
from tokenunlearn.settings import setting

if TYPE_CHECKING:
    from torch import Tensor


def tpo(
    label_logits: Float[Tensor, "batch time"],
    ref_label_logits: Float[Tensor, "batch time"],
    nll: Float[Tensor, "batch time"],
    weights: Float[Tensor, "batch time"],
    mask: Bool[Tensor, "batch time"],
    beta: float,
) -> Float[Tensor, ""]:
    """Logit preference loss on the selected tokens plus the NLL of the others.

    The first part is the mean over the batch of
    ``-(2/beta) * log_sigmoid(beta * sum_t w_t (z_t^ref - z_t) / sum_t w_t)``, z being the raw logit of the
    true token. The second is the mean NLL, in nats, over the tokens of the batch with weights
    ``max(0, 1 - w_t)``: exactly the unselected ones under hard weights, none under uniform ones.

    Pitfalls: raw logits can all be lowered together without any change of probability. The authors' code
    puts -1e4 in place of z^ref, which saturates the sigmoid so that beta has no effect and the loss is plain
    descent on the logit; here z^ref is the reference's own logit.

    Source: arXiv 2506.03142.
    """
    from torch.nn.functional import logsigmoid

    fall = (weights * (ref_label_logits - label_logits)).sum(-1) / weights.sum(-1).clamp_min(1e-12)  # (B,)
    others = (1.0 - weights).clamp_min(0.0) * mask  # (B, T)
    unselected = (others * nll).sum() / others.sum().clamp_min(1e-12)
    return -(2.0 / beta) * logsigmoid(beta * fall).mean() + unselected


def label_logits(
    logits: Float[Tensor, "*batch vocab"], labels: Int[Tensor, "*batch"]
) -> Float[Tensor, "*batch"]:
    """Each true token's logit; 0 where the label is -100."""
    own = at_least_float32(logits).gather(-1, labels.clamp_min(0).unsqueeze(-1)).squeeze(-1)
    return of_response(own, labels)


@dataclass(frozen=True)
class TPO(Objective):
    """Parameters of TPO."""

    beta: float = setting(0.3, "Inverse temperature; larger values stop forgetting earlier.", above=0)
    needs: ClassVar[frozenset[Need]] = frozenset({"ref_logits"})
    fades: ClassVar[bool] = True
    recommended: ClassVar[Mapping[str, Any]] = {"steps": 25}

    def loss(self, step: ForgetStep) -> Float[Tensor, ""]:
        """Forget loss of one batch."""
        import torch

        own = step.per_token(label_logits)
        with torch.no_grad():
            ref = step.reference.per_token(label_logits)
        return tpo(own, ref, step.nll, step.weights, step.mask, self.beta)
