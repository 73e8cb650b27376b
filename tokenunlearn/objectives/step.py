"""What one training step offers to objectives, weightings and regularizers, response positions only."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from jaxtyping import Bool, Float, Int

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Module


@dataclass
class Step:
    """A batch of samples at the positions that predict each response token.

    Attributes:
        hidden: (B, T, d) final hidden states; without a head, (B, T, V) the logits themselves.
        labels: (B, T) response token ids.
        mask: (B, T) response mask.
        head: Map from final hidden states to logits.
        ref_hidden: (B, T, d) final hidden states of the reference model, where ``needs`` names "ref_logits".
        ref_head: The reference's map to logits.
    """

    hidden: Float[Tensor, "batch time dim"]
    labels: Int[Tensor, "batch time"]
    mask: Bool[Tensor, "batch time"]
    head: Module | None = field(default=None, kw_only=True)
    ref_hidden: Float[Tensor, "batch time dim"] | None = field(default=None, kw_only=True)
    ref_head: Module | None = field(default=None, kw_only=True)

    @property
    def reference(self) -> Step:
        """The same tokens under the reference model; take no gradients through it."""
        assert self.ref_hidden is not None
        return Step(self.ref_hidden, self.labels, self.mask, head=self.ref_head)

    @property
    def logits(self) -> Float[Tensor, "batch time vocab"]:
        """Logits that predict each response token; for small vocabularies, see :meth:`per_token`."""
        return self.hidden if self.head is None else self.head(self.hidden)

    @cached_property
    def nll(self) -> Float[Tensor, "batch time"]:
        """Token NLL l_t, in nats; 0 in the padding."""
        return self.nll_of(self.labels)

    def nll_of(self, tokens: Int[Tensor, "batch time"]) -> Float[Tensor, "batch time"]:
        """NLL of any token ids (B, T) in place of the response's, in nats; 0 in the padding."""
        from tokenunlearn.models.forward import token_nll

        return self._spread(token_nll, tokens[self.mask])

    def per_token(self, measure: Callable[[Tensor, Tensor], Tensor]) -> Float[Tensor, "batch time"]:
        """``measure(logits, labels)`` of every response token, 0 in the padding.

        No (B, T, V) tensor exists at any time, see :func:`~tokenunlearn.models.forward.per_token`.

        Args:
            measure: (n, V) logits and (n,) labels -> (n,), each row by itself.
        """
        return self._spread(measure, self.labels[self.mask])

    def against_reference(
        self, measure: Callable[[Tensor, Tensor, Tensor], Tensor]
    ) -> Float[Tensor, "batch time"]:
        """``measure(logits, reference logits, labels)`` of every response token, 0 in the padding.

        Args:
            measure: Twice (n, V) logits and (n,) labels -> (n,), each row by itself.
        """
        return self._spread(*self._beside_reference(measure))

    def mean(self, measure: Callable[[Tensor, Tensor], Tensor]) -> Float[Tensor, ""]:
        """Mean of :meth:`per_token` over the response tokens, cheaper where the head is trained."""
        return self._mean(measure, self.labels[self.mask])

    def mean_against_reference(
        self, measure: Callable[[Tensor, Tensor, Tensor], Tensor]
    ) -> Float[Tensor, ""]:
        """Mean of :meth:`against_reference` over the response tokens, cheaper where the head is trained."""
        return self._mean(*self._beside_reference(measure))

    @property
    def _head(self) -> Module:
        from torch.nn import Identity

        return Identity() if self.head is None else self.head

    def _beside_reference(
        self, measure: Callable[..., Tensor]
    ) -> tuple[Callable[..., Tensor], Tensor, Tensor]:
        """A measure of logits, reference states and labels, and the latter two."""
        import torch

        assert self.ref_hidden is not None

        def both(logits: Tensor, ref_hidden: Tensor, labels: Tensor) -> Tensor:
            with torch.no_grad():
                ref_logits = self.ref_head(ref_hidden) if self.ref_head is not None else ref_hidden
            return measure(logits, ref_logits, labels)

        return both, self.ref_hidden[self.mask], self.labels[self.mask]

    def _mean(self, measure: Callable[..., Tensor], *others: Tensor) -> Float[Tensor, ""]:
        from tokenunlearn.models.forward import mean_per_token

        return mean_per_token(measure, self._head, self.hidden[self.mask], *others)

    def _spread(self, measure: Callable[..., Tensor], *others: Tensor) -> Float[Tensor, "batch time"]:
        """The measure of each response token at its place, 0 in the padding."""
        from tokenunlearn.models.forward import per_token

        values = per_token(measure, self._head, self.hidden[self.mask], *others)  # (N,)
        return values.new_zeros(self.mask.shape).masked_scatter(self.mask, values)


@dataclass
class Refusals:
    """The refusals that take the place of a batch's answers, one a forget sample.

    Attributes:
        labels: (B, R) token ids.
        nll: (B, R) token NLL, in nats.
        ref_nll: (B, R) the same under the reference model.
        mask: (B, R) response mask.
    """

    labels: Int[Tensor, "batch refusal"]
    nll: Float[Tensor, "batch refusal"]
    ref_nll: Float[Tensor, "batch refusal"]
    mask: Bool[Tensor, "batch refusal"]


@dataclass
class ForgetStep(Step):
    """A batch of forget samples. What an objective does not name in its ``needs`` is None.

    Attributes:
        weights: (B, T) token weights w_t, 0 outside the response.
        ref_nll: (B, T) token NLL of the reference model, in nats.
        base_nll: (B, T) token NLL of a model that never saw the forget set, in nats.
        states: (B, T, d) output of the run's hidden layer at the positions that predict each response token.
        control: (d,) a fixed random direction, as long as the reference's states are on average.
        refusals: Refusals in place of the answers.
        alternatives: (B, T) ids of the tokens that stand in for the response's.
    """

    weights: Float[Tensor, "batch time"]
    ref_nll: Float[Tensor, "batch time"] | None = None
    base_nll: Float[Tensor, "batch time"] | None = None
    states: Float[Tensor, "batch time dim"] | None = None
    control: Float[Tensor, " dim"] | None = None
    refusals: Refusals | None = None
    alternatives: Int[Tensor, "batch time"] | None = None


@dataclass
class RetainStep(Step):
    """A batch of retained samples. What a regularizer does not name in its ``needs`` is None.

    Attributes:
        states: (B, T, d) output of the run's hidden layer.
        ref_states: (B, T, d) the same of the reference model.
    """

    states: Float[Tensor, "batch time dim"] | None = None
    ref_states: Float[Tensor, "batch time dim"] | None = None
