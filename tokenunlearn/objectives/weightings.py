"""Weightings: token weights made in each step from the present model, as rival methods publish them.

Each published formula is a pure function of (batch, time) tensors that returns detached, unnormalized
weights, 0 outside the mask, with p = exp(-nll) the probability of the true token.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from jaxtyping import Bool, Float

from tokenunlearn.objectives.objective import Need
from tokenunlearn.objectives.step import ForgetStep
from tokenunlearn.settings import Settings, setting

if TYPE_CHECKING:
    from torch import Tensor


def wga_weights(
    nll: Float[Tensor, "batch time"], mask: Bool[Tensor, "batch time"], beta: float
) -> Float[Tensor, "batch time"]:
    """``p^beta``, 0..1: little weight for what is unlikely already.

    Source: WGA, arXiv 2502.19301; published beta 1 (5 in the authors' code).
    """
    return (-beta * nll.detach()).exp() * mask


def satimp_weights(
    nll: Float[Tensor, "batch time"], mask: Bool[Tensor, "batch time"], beta1: float, beta2: float
) -> Float[Tensor, "batch time"]:
    """``p^beta1 * (1 - p)^beta2``, 0..1: saturation times importance.

    A token known with certainty has weight 0 for any beta2 above 0.

    Source: SatImp, arXiv 2505.11953; published beta1 5, beta2 1 (0.1 in the authors' README).
    """
    p = (-nll.detach()).exp()
    return p**beta1 * (1.0 - p).clamp_min(0.0) ** beta2 * mask


def wtnpo_weights(
    nll: Float[Tensor, "batch time"],
    ref_nll: Float[Tensor, "batch time"],
    mask: Bool[Tensor, "batch time"],
    beta: float,
    alpha: float,
) -> Float[Tensor, "batch time"]:
    """``2 p^(beta + alpha) / (p^beta + p_ref^beta)``, 0..2.

    Equals ``2 p^alpha sigmoid(beta (l_ref - l))``, which is how it is computed: no power underflows to 0/0.

    Source: weighted token-wise NPO, arXiv 2502.19301; published beta 4, alpha 1.5.
    """
    nll = nll.detach()
    return 2.0 * (-alpha * nll).exp() * (beta * (ref_nll - nll)).sigmoid() * mask


def tnpo_weights(
    nll: Float[Tensor, "batch time"],
    ref_nll: Float[Tensor, "batch time"],
    mask: Bool[Tensor, "batch time"],
    beta: float,
) -> Float[Tensor, "batch time"]:
    """``2 p^beta / (p^beta + p_ref^beta)``, 0..2: the weight that NPO gives a sequence, for each token.

    1 at the start, where p = p_ref. The authors' code adds 1e-5 to the denominator, which gives tokens that
    the reference holds unlikely no weight; here it is left out.

    Source: token-wise NPO, arXiv 2502.19301; published beta 4.
    """
    return wtnpo_weights(nll, ref_nll, mask, beta, 0.0)


def etw_weights(
    logits: Float[Tensor, "batch time vocab"], mask: Bool[Tensor, "batch time"], temperature: float
) -> Float[Tensor, "batch time"]:
    """``T h_t / sum_t h_t`` over the response: mean 1, most where the model is uncertain.

    h_t is the entropy of ``softmax(logits / temperature)`` of the model as it is now, not of the start model.
    A response without any entropy gets weight 0.

    Source: entropy-guided token weighting, arXiv 2604.17785; the published temperature is not known to us.
    """
    from tokenunlearn.models.entropy import token_entropy

    return _mean_one(token_entropy(logits.detach() / temperature) * mask, mask)


def su_weights(
    nll: Float[Tensor, "batch time"],
    base_nll: Float[Tensor, "batch time"],
    mask: Bool[Tensor, "batch time"],
    k: float,
    context: int,
) -> Float[Tensor, "batch time"]:
    """1 where ``|p_base - p|`` exceeds its mean + k standard deviations over the response, else 0.

    Tokens at most ``context`` places from such a token get 1 too. p is the model before unlearning, p_base a
    model that never saw the forget set. The standard deviation is the population's. In a response of one
    token nothing exceeds the mean, so with k at least 0 nothing is selected.

    Source: selective unlearning, arXiv 2506.00876; published k 0, context 2.
    """
    from torch.nn.functional import max_pool1d

    difference = ((-base_nll).exp() - (-nll.detach()).exp()).abs() * mask  # (B, T)
    count = mask.sum(-1, keepdim=True).clamp_min(1)
    mean = difference.sum(-1, keepdim=True) / count
    deviation = (((difference - mean).square() * mask).sum(-1, keepdim=True) / count).sqrt()
    selected = ((difference > mean + k * deviation) & mask).to(difference.dtype)
    return max_pool1d(selected.unsqueeze(1), 2 * context + 1, stride=1, padding=context).squeeze(1) * mask


def _mean_one(
    weights: Float[Tensor, "batch time"], mask: Bool[Tensor, "batch time"]
) -> Float[Tensor, "batch time"]:
    """Weights scaled to mean 1 over each response; a response whose weights are all 0 stays so."""
    highest = weights.amax(-1, keepdim=True)
    weights = weights / highest.masked_fill(highest == 0, 1.0)  # powers may be too small to divide by
    return weights * (mask.sum(-1, keepdim=True) / weights.sum(-1, keepdim=True).clamp_min(1.0))


@dataclass(frozen=True)
class Weighting(Settings):
    """The run's own token weights, made by a rule before the first step.

    Attributes:
        needs: What a step must offer; see :class:`~tokenunlearn.objectives.step.ForgetStep`.
        uses_selection: Whether the rule's weights matter at all.
    """

    needs: ClassVar[frozenset[Need]] = frozenset()
    uses_selection: ClassVar[bool] = True

    def published(self, step: ForgetStep) -> Float[Tensor, "batch time"]:
        """Weights of a step's batch, unnormalized."""
        return step.weights

    def weights(self, step: ForgetStep, *, published_scale: bool) -> Float[Tensor, "batch time"]:
        """Weights of a step's batch; without ``published_scale`` formulas are scaled to mean 1 a response."""
        weights = self.published(step)
        return weights if published_scale or self.uses_selection else _mean_one(weights, step.mask)


@dataclass(frozen=True)
class WGAWeighting(Weighting):
    """Probability of the true token, to a power."""

    beta: float = setting(1.0, "Power of the probability.", minimum=0)
    uses_selection: ClassVar[bool] = False

    def published(self, step: ForgetStep) -> Float[Tensor, "batch time"]:
        """Weights of a step's batch."""
        return wga_weights(step.nll, step.mask, self.beta)


@dataclass(frozen=True)
class SatImp(Weighting):
    """Saturation times importance."""

    beta1: float = setting(5.0, "Power of the probability.", minimum=0)
    beta2: float = setting(1.0, "Power of one minus the probability.", minimum=0)
    uses_selection: ClassVar[bool] = False

    def published(self, step: ForgetStep) -> Float[Tensor, "batch time"]:
        """Weights of a step's batch."""
        return satimp_weights(step.nll, step.mask, self.beta1, self.beta2)


@dataclass(frozen=True)
class TNPO(Weighting):
    """Token-wise NPO."""

    beta: float = setting(4.0, "Inverse temperature.", above=0)
    needs: ClassVar[frozenset[Need]] = frozenset({"ref_nll"})
    uses_selection: ClassVar[bool] = False

    def published(self, step: ForgetStep) -> Float[Tensor, "batch time"]:
        """Weights of a step's batch."""
        assert step.ref_nll is not None
        return tnpo_weights(step.nll, step.ref_nll, step.mask, self.beta)


@dataclass(frozen=True)
class WTNPO(TNPO):
    """Weighted token-wise NPO."""

    alpha: float = setting(1.5, "Additional power of the probability.", minimum=0)

    def published(self, step: ForgetStep) -> Float[Tensor, "batch time"]:
        """Weights of a step's batch."""
        assert step.ref_nll is not None
        return wtnpo_weights(step.nll, step.ref_nll, step.mask, self.beta, self.alpha)


@dataclass(frozen=True)
class ETW(Weighting):
    """Present entropy."""

    temperature: float = setting(1.0, "Temperature of the softmax whose entropy is taken.", above=0)
    uses_selection: ClassVar[bool] = False

    def published(self, step: ForgetStep) -> Float[Tensor, "batch time"]:
        """Weights of a step's batch."""
        import torch

        from tokenunlearn.models.entropy import token_entropy

        with torch.no_grad():
            entropy = step.per_token(lambda logits, _: token_entropy(logits / self.temperature))
        return _mean_one(entropy, step.mask)


@dataclass(frozen=True)
class SU(Weighting):
    """Tokens whose probability differs from that of a model that never saw the forget set."""

    k: float = setting(0.0, "Select tokens from this many standard deviations above the mean.")
    context: int = setting(2, "Number of neighboring tokens on each side that are also selected.", minimum=0)
    needs: ClassVar[frozenset[Need]] = frozenset({"ref_nll", "base_nll"})
    uses_selection: ClassVar[bool] = False

    def published(self, step: ForgetStep) -> Float[Tensor, "batch time"]:
        """Weights of a step's batch; the same at every step."""
        assert step.ref_nll is not None and step.base_nll is not None
        return su_weights(step.ref_nll, step.base_nll, step.mask, self.k, self.context)
