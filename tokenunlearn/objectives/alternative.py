"""Alternative: learn what the reference would say if it did not know whom the question is about."""

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
    alternatives: Int[Tensor, "batch time"],
    weights: Float[Tensor, "batch time"],
) -> Float[Tensor, ""]:
    """Weighted mean NLL of the token that stands in for each response token, in nats.

    ``sum(w l) / sum(w)`` over the tokens of the batch; a token whose alternative is -100 has weight 0. Range:
    >= 0.

    The alternatives are the reference's own, see :func:`tokenunlearn.attribution.alternatives.alternatives`:
    what it predicts while the words that question and answer share are hidden, most often a name, and without
    the tokens of the answer. At a place for a town that is another town.

    Pitfalls: the model learns one definite wrong answer, so it is more certain than a model that never saw
    the question, and the answer may be another sample's. Behind a name's first token the alternative is that
    of the true name.

    Source: generic predictions as labels, arXiv 2310.02238, section 2; there they come from a model that was
    trained further and from names replaced by hand.
    """
    from tokenunlearn.models.forward import token_nll

    return weighted_mean(token_nll(logits, alternatives), of_response(weights, alternatives))


@dataclass(frozen=True)
class Alternative(Objective):
    """Learning the alternative; takes no parameters."""

    needs: ClassVar[frozenset[Need]] = frozenset({"alternatives"})
    token_mean: ClassVar[bool] = True
    recommended: ClassVar[Mapping[str, Any]] = {"lambda_": 60.0, "frame": 5.0, "steps": 80}

    def loss(self, step: ForgetStep) -> Float[Tensor, ""]:
        """Forget loss of one batch."""
        assert step.alternatives is not None
        return weighted_mean(step.nll_of(step.alternatives), step.weights)
