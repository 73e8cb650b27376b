"""What every objective is: a forget loss with named parameters, what it reads, and settings that suit it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from tokenunlearn.settings import Settings

if TYPE_CHECKING:
    from torch import Tensor

    from tokenunlearn.objectives.step import ForgetStep

Need = Literal["ref_nll", "ref_logits", "base_nll", "states", "refusals", "alternatives"]


def at_least_float32(values: Tensor) -> Tensor:
    """The same values, half precision raised to float32."""
    import torch

    return values.to(torch.promote_types(values.dtype, torch.float32))


def of_response(values: Tensor, labels: Tensor) -> Tensor:
    """Values or weights of tokens, 0 where the label is -100, as in prompt and padding."""
    return values.masked_fill(labels < 0, 0.0)


def weighted_mean(values: Tensor, weights: Tensor) -> Tensor:
    """``sum(w x) / sum(w)`` over the tokens of the batch; 0 where all weights are 0."""
    return (weights * values).sum() / weights.sum().clamp_min(1e-12)


@dataclass(frozen=True)
class Objective(Settings, ABC):
    """A forget loss L_f; its fields are its parameters.

    Attributes:
        needs: What a step must offer beside logits, labels, mask and weights; see
            :class:`~tokenunlearn.objectives.step.ForgetStep`.
        token_mean: Whether the loss is a weighted mean over the tokens of the batch, so that only the ratios
            of the weights matter.
        refusals: Texts that a sample's refusal is drawn from, where ``needs`` names "refusals"; without any,
            those of its language.
        fades: Whether its gradient fades once an answer is improbable enough, the sooner the larger its beta.
        few_modules: Whether only a few modules below one hidden layer are trained.
        recommended: Settings of a run that are used where its configuration leaves them open.
    """

    needs: ClassVar[frozenset[Need]] = frozenset()
    refusals: ClassVar[tuple[str, ...]] = ()
    token_mean: ClassVar[bool] = False
    fades: ClassVar[bool] = False
    few_modules: ClassVar[bool] = False
    recommended: ClassVar[Mapping[str, Any]] = {}

    @abstractmethod
    def loss(self, step: ForgetStep) -> Tensor:
        """Scalar loss of one batch of forget samples."""

    def next_lambda(self, lambda_: float, retain_loss: float, step: int) -> float:
        """Strength of the retain loss after a step; constant unless the objective adapts it."""
        return lambda_
