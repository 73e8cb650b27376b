"""Activation patching: the upper layers of a model run on hidden states that were put in below them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import torch
from jaxtyping import Float
from torch import Tensor

from tokenunlearn.models.layers import decoder_layers

if TYPE_CHECKING:
    from transformers import PreTrainedModel

# What a decoder layer returns: hidden states (B, L, d), or a tuple that begins with them.
LayerOutput = Tensor | tuple[Tensor, ...]


def hidden_of(output: LayerOutput) -> Float[Tensor, "batch length dim"]:
    """The hidden states in a layer's output."""
    return output if isinstance(output, Tensor) else output[0]


def patched(
    output: LayerOutput, rows: Tensor, places: Tensor, states: Float[Tensor, "positions dim"]
) -> LayerOutput:
    """A copy of a layer's output with other hidden states at some positions.

    Args:
        output: (B, L, d), or a tuple that begins with it.
        rows: (N,) rows of the positions.
        places: (N,) their places in the rows.
        states: (N, d) what to put there.
    """
    hidden = hidden_of(output).clone()
    hidden[rows.to(hidden.device), places.to(hidden.device)] = states.to(hidden)
    return hidden if isinstance(output, Tensor) else (hidden, *output[1:])


@contextmanager
def recorded_layers(model: PreTrainedModel) -> Iterator[list[LayerOutput]]:
    """Collects the outputs of all layers, the lowest first, in the one pass made inside."""
    outputs: list[LayerOutput] = []

    def record(module: torch.nn.Module, inputs: object, output: LayerOutput) -> None:
        outputs.append(output)

    handles = [layer.register_forward_hook(record) for layer in decoder_layers(model)]
    try:
        yield outputs
    finally:
        for handle in handles:
            handle.remove()


@contextmanager
def replayed_layers(model: PreTrainedModel, outputs: Sequence[LayerOutput]) -> Iterator[None]:
    """The lowest layers compute nothing in passes made inside; each returns its output given here.

    Args:
        model: The model; it is as before on leaving.
        outputs: Of the lowest layers, one each, from a pass over the same batch.
    """
    layers = list(decoder_layers(model))[: len(outputs)]
    own = [vars(layer).get("forward") for layer in layers]
    for layer, output in zip(layers, outputs, strict=True):
        layer.forward = lambda *_, _output=output, **__: _output
    try:
        yield
    finally:
        for layer, forward in zip(layers, own, strict=True):
            del layer.forward
            if forward is not None:
                layer.forward = forward
