"""Control rules: weights to compare a run's own with, made from them before the first step."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from jaxtyping import Float

if TYPE_CHECKING:
    from torch import Generator, Tensor

Control = Callable[["Tensor", "Generator"], "Tensor"]


def uniform_weights(weights: Float[Tensor, " time"], generator: Generator) -> Float[Tensor, " time"]:
    """Weight 1 on every token of the response: the published sequence-level method."""
    return weights.new_ones(weights.shape)


def random_weights(weights: Float[Tensor, " time"], generator: Generator) -> Float[Tensor, " time"]:
    """The same weights on other tokens of the response, drawn at random: a control of equal budget."""
    import torch

    return weights[torch.randperm(len(weights), generator=generator)]


def inverted_weights(weights: Float[Tensor, " time"], generator: Generator) -> Float[Tensor, " time"]:
    """The same weights in reverse order of size: the largest go to the tokens that had the smallest.

    Equal weights are ordered at random, so a hard selection of n tokens becomes n random unselected ones.
    """
    import torch

    shuffled = torch.randperm(len(weights), generator=generator)
    order = shuffled[weights[shuffled].argsort(stable=True)]  # ascending, ties at random
    inverted = torch.empty_like(weights)
    inverted[order] = weights.sort(descending=True).values
    return inverted


# A new control is one function and one line here.
CONTROLS: dict[str, Control] = {
    "uniform": uniform_weights,
    "random": random_weights,
    "inverted": inverted_weights,
}
