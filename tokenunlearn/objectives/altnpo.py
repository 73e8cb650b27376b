"""AltNPO: NPO on the answer's tokens, and learning what stands in for them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from jaxtyping import Float

from tokenunlearn.objectives.npo import npo
from tokenunlearn.objectives.objective import Need, Objective
from tokenunlearn.objectives.step import ForgetStep
from tokenunlearn.settings import setting

if TYPE_CHECKING:
    from torch import Tensor


def altnpo(
    nll: Float[Tensor, "batch time"],
    ref_nll: Float[Tensor, "batch time"],
    alternative_nll: Float[Tensor, "batch time"],
    weights: Float[Tensor, "batch time"],
    beta: float,
    alpha: float,
) -> Float[Tensor, ""]:
    """NPO plus ``alpha`` times the weighted mean NLL of the alternatives of each response, in nats.

    ``-(2/beta) log_sigmoid(beta sum_t w_t (l_t - l_t^ref)) + alpha sum_t w_t a_t / sum_t w_t``, mean over the
    batch; ``a_t`` is the NLL of the token that stands in for the response's, see
    :func:`tokenunlearn.attribution.alternatives.alternatives`. A response without a weighted token counts 0.
    alpha = 0 is NPO. Range: >= 0.

    NPO says where not to go, and the alternative where to go instead; docs/results.md has each alone.

    Pitfalls: what takes the answer's place may be another sample's answer. And where answers are forgotten
    quickly, many steps go past a model that never saw them; a ``level`` ends that earlier.

    Source: arXiv 2404.05868, equation 3, and arXiv 2310.02238, section 2; alternative answers beside the
    rejected one as in AltPO, arXiv 2409.13474, there as one preference between two whole answers.
    """
    towards = (weights * alternative_nll).sum(-1) / weights.sum(-1).clamp_min(1e-12)  # (B,)
    return npo(nll, ref_nll, weights, beta) + alpha * towards.mean()


@dataclass(frozen=True)
class AltNPO(Objective):
    """Parameters of AltNPO."""

    beta: float = setting(0.2, "Inverse temperature; larger values stop forgetting earlier.", above=0)
    alpha: float = setting(0.25, "Strength of the alternative's NLL; 0 is NPO.", minimum=0)
    needs: ClassVar[frozenset[Need]] = frozenset({"ref_nll", "alternatives"})
    fades: ClassVar[bool] = True
    recommended: ClassVar[Mapping[str, Any]] = {
        "lambda_": 60.0,
        "frame": 5.0,
        "holdout": "auto",
        "steps": 80,
        "lr_scheduler_type": "linear",
    }

    def loss(self, step: ForgetStep) -> Float[Tensor, ""]:
        """Forget loss of one batch."""
        assert step.ref_nll is not None and step.alternatives is not None
        towards = step.nll_of(step.alternatives)
        return altnpo(step.nll, step.ref_nll, towards, step.weights, self.beta, self.alpha)
