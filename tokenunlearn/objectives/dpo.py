"""DPO with refusals (IdkDPO): prefer a refusal to the answer, relative to the reference."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from jaxtyping import Bool, Float

from tokenunlearn.objectives.objective import Need, Objective
from tokenunlearn.objectives.step import ForgetStep
from tokenunlearn.settings import setting

if TYPE_CHECKING:
    from torch import Tensor


def dpo(
    win_nll: Float[Tensor, "batch refusal"],
    ref_win_nll: Float[Tensor, "batch refusal"],
    win_mask: Bool[Tensor, "batch refusal"],
    lose_nll: Float[Tensor, "batch time"],
    ref_lose_nll: Float[Tensor, "batch time"],
    weights: Float[Tensor, "batch time"],
    beta: float,
) -> Float[Tensor, ""]:
    """Mean over the batch of ``-(2/beta) * log_sigmoid(beta * (gain of the refusal - gain of the answer))``.

    A gain is what a text's log-probability has risen above the reference's: ``sum_t (l_t^ref - l_t)`` over
    the refusal's tokens, ``sum_t w_t (l_t^ref - l_t)`` over the answer's. With weights 1 this is DPO times
    2/beta, the scale that NPO has too.

    Pitfall: the loss is content with either side, so the model may learn to refuse everywhere while the
    answer stays one sampled prefix away; read the probability of the answer beside the refusals. A refusal
    that the model has never seen can gain a hundred nats by itself, which at beta 0.1 ends the run with the
    answers untouched; so the default is smaller.

    Source: DPO, arXiv 2305.18290, equation 7; with "I don't know" as the preferred answer, TOFU, arXiv
    2401.06121.
    """
    from torch.nn.functional import logsigmoid

    win = (win_mask * (ref_win_nll - win_nll)).sum(-1)  # (B,)
    lose = (weights * (ref_lose_nll - lose_nll)).sum(-1)  # (B,)
    return -(2.0 / beta) * logsigmoid(beta * (win - lose)).mean()


@dataclass(frozen=True)
class DPO(Objective):
    """Parameters of DPO with refusals."""

    beta: float = setting(0.02, "Inverse temperature; larger values stop forgetting earlier.", above=0)
    needs: ClassVar[frozenset[Need]] = frozenset({"ref_nll", "refusals"})
    fades: ClassVar[bool] = True
    recommended: ClassVar[Mapping[str, Any]] = {"lambda_": 30.0, "steps": 40}

    def loss(self, step: ForgetStep) -> Float[Tensor, ""]:
        """Forget loss of one batch."""
        assert step.ref_nll is not None and step.refusals is not None
        win = step.refusals
        return dpo(win.nll, win.ref_nll, win.mask, step.nll, step.ref_nll, step.weights, self.beta)
