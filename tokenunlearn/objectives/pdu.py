"""PDU, primal-dual unlearning: flatten the logits of forget tokens under a bound on the retain loss."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from jaxtyping import Float

from tokenunlearn.objectives.objective import Objective, at_least_float32, weighted_mean
from tokenunlearn.objectives.step import ForgetStep
from tokenunlearn.settings import setting

if TYPE_CHECKING:
    from torch import Tensor


def pdu(logits: Float[Tensor, "batch time vocab"], weights: Float[Tensor, "batch time"]) -> Float[Tensor, ""]:
    """Weighted mean over the tokens of the batch of ``(max_v z_v - mean_v z_v)^2``.

    Range: >= 0, and 0 where every token of the vocabulary is equally likely.

    Pitfall: it never looks at the true token, and the mean runs over the whole vocabulary, tokens that no
    text holds included; rare tokens become likely. It only works with its dual variable (:class:`PDU`).

    Source: arXiv 2506.05314, logit-margin flattening loss.
    """
    return weighted_mean(pdu_tokens(logits), weights)


def pdu_tokens(
    logits: Float[Tensor, "*batch vocab"], labels: Tensor | None = None
) -> Float[Tensor, "*batch"]:
    """Each token's squared gap between the largest and the mean logit; labels are not looked at."""
    scores = at_least_float32(logits)
    return (scores.amax(-1) - scores.mean(-1)).square()


def dual_variable(lambda_: float, retain_loss: float, bound: float, rate: float, least: float) -> float:
    """Lambda after a step: ``max(least, lambda + rate * (retain_loss - bound))``."""
    return max(least, lambda_ + rate * (retain_loss - bound))


@dataclass(frozen=True)
class PDU(Objective):
    """Parameters of PDU; lambda is the dual variable and changes with every step.

    After each step ``lambda <- max(0, lambda + dual_step * (L_r - bound))``: it grows while the retain loss
    is above its bound and shrinks below it.
    """

    bound: float = setting(0.05, "Maximum allowed retain loss, in nats (published: 0.3).", minimum=0)
    dual_step: float = setting(50.0, "Step size of the dual variable lambda (published: 5).", minimum=0)
    warmup: float = setting(5.0, "Number of steps before lambda starts to change.", minimum=0)
    token_mean: ClassVar[bool] = True
    recommended: ClassVar[Mapping[str, Any]] = {
        "regularizer": "nll",
        "gamma": 0.1,
        "lambda_": 30.0,
        "steps": 40,
    }

    def loss(self, step: ForgetStep) -> Float[Tensor, ""]:
        """Forget loss of one batch."""
        return weighted_mean(step.per_token(pdu_tokens), step.weights)

    def next_lambda(self, lambda_: float, retain_loss: float, step: int) -> float:
        """The dual variable after a step."""
        if step <= self.warmup:
            return lambda_
        return dual_variable(lambda_, retain_loss, self.bound, self.dual_step, 0.0)
