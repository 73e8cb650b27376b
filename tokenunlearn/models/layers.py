"""Hidden layers by architecture: where they are, what they put out, which modules RMU trains."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import torch
from jaxtyping import Float
from torch import Tensor

from tokenunlearn.errors import TokenUnlearnError
from tokenunlearn.models.devices import input_device
from tokenunlearn.models.encoding import Batch

if TYPE_CHECKING:
    from transformers import PreTrainedModel

# The last linear map of a layer's feed-forward part: Llama, Qwen, Gemma, Mistral, OLMo; GPT-NeoX, Falcon,
# BLOOM; GPT-2, StarCoder; Phi; OPT; GPT-J; MPT.
DOWN_PROJECTIONS = (
    "mlp.down_proj",
    "mlp.dense_4h_to_h",
    "mlp.c_proj",
    "mlp.fc2",
    "fc2",
    "mlp.fc_out",
    "ffn.down_proj",
)
# RMU trains its layer and this many layers below it.
LAYERS_BELOW = 2


def _layers(model: PreTrainedModel) -> tuple[str, torch.nn.ModuleList]:
    """Name and list of the decoder layers."""
    count = model.config.get_text_config().num_hidden_layers
    for name, module in model.named_modules():
        if isinstance(module, torch.nn.ModuleList) and len(module) == count:
            return name, module
    raise TokenUnlearnError(
        f'The layers of the architecture "{model.config.model_type}" are unknown, '
        "so its hidden states cannot be read."
    )


def decoder_layers(model: PreTrainedModel) -> torch.nn.ModuleList:
    """The decoder layers, the lowest first.

    Raises:
        TokenUnlearnError: If the architecture's layers are not known.
    """
    return _layers(model)[1]


def steered_layer(model: PreTrainedModel) -> int:
    """The layer RMU steers by default: 7, counted from 0, or two thirds of the way up in shallow models.

    RMU's authors take 7 of 32 layers, the open-unlearning benchmark 7 of 16.
    """
    return min(7, 2 * len(_layers(model)[1]) // 3)


def last_layer(model: PreTrainedModel) -> int:
    """Index of the last layer, counted from 0."""
    return len(_layers(model)[1]) - 1


def check_layer(model: PreTrainedModel, layer: int, name: str = "layer") -> int:
    """The layer itself.

    Args:
        model: The model.
        layer: Index of a layer, counted from 0.
        name: What the index is called in the error.

    Raises:
        TokenUnlearnError: If the model has no such layer.
    """
    if not 0 <= layer <= last_layer(model):
        raise TokenUnlearnError(f"{name} is {layer}; the model has layers 0 to {last_layer(model)}.")
    return layer


def layers_from(model: PreTrainedModel, first_layer: int) -> list[str]:
    """Names of the decoder layers from one on."""
    prefix, layers = _layers(model)
    return [f"{prefix}.{index}" for index in range(first_layer, len(layers))]


@torch.no_grad()
def freeze_below(model: PreTrainedModel, first_layer: int) -> None:
    """Switch off the gradients of the layers below one and of all that comes before them.

    What comes before is what a forward pass reaches first, such as embeddings, under any name. An output head
    that shares the embeddings' weights is frozen with them.
    """
    layers, reached = decoder_layers(model), list[torch.nn.Module]()
    handles = [
        module.register_forward_pre_hook(lambda module, _: reached.append(module))
        for module in model.modules()
    ]
    try:
        model(input_ids=torch.tensor([[1, 2]], device=input_device(model)))
    finally:
        for handle in handles:
            handle.remove()
    for module in reached[: reached.index(layers[0])]:
        for parameter in module.parameters(recurse=False):
            parameter.requires_grad_(False)
    for layer in layers[:first_layer]:
        layer.requires_grad_(False)


def down_projections(model: PreTrainedModel, layer: int) -> list[str]:
    """Names of the feed-forward output maps of a layer and the two below it: what RMU trains.

    Raises:
        TokenUnlearnError: If the architecture's feed-forward part is not known.
    """
    prefix, layers = _layers(model)
    names = []
    for index in range(max(0, layer - LAYERS_BELOW), layer + 1):
        inside = dict(layers[index].named_modules())
        down = next((name for name in DOWN_PROJECTIONS if name in inside), None)
        if down is None:
            raise TokenUnlearnError(
                f'The feed-forward modules of the architecture "{model.config.model_type}" are unknown, '
                "so RMU cannot be used; choose another objective."
            )
        names.append(f"{prefix}.{index}.{down}")
    return names


def adapter_targets(model: PreTrainedModel, first_layer: int = 0) -> str | list[str]:
    """The linear layers that a LoRA adapter can sit on: "all-linear", or their names where not all can.

    State-space mixers use the weight of their output map without calling the layer, so peft refuses it.

    Args:
        model: The model.
        first_layer: Only what is inside the decoder layers from this one on; 0 for all.

    Raises:
        TokenUnlearnError: If there are none.
    """
    from transformers.pytorch_utils import Conv1D

    head = model.get_output_embeddings()
    linear, skipped = set(), set()
    inside = tuple(f"{name}." for name in layers_from(model, first_layer)) if first_layer else ("",)
    for name, module in model.named_modules():
        if isinstance(module, torch.nn.Linear | Conv1D) and module is not head and name.startswith(inside):
            linear.add(name)
        if hasattr(module, "A_log") and hasattr(module, "D"):
            skipped.add(f"{name}.out_proj")
    if not linear - skipped:
        raise TokenUnlearnError(
            f'The architecture "{model.config.model_type}" has no linear layer for a LoRA adapter; train all '
            "weights instead (train full)."
        )
    return sorted(linear - skipped) if linear & skipped or first_layer else "all-linear"


@contextmanager
def layer_states(
    model: PreTrainedModel, layer: int | None, batch: Batch
) -> Iterator[list[Float[Tensor, "batch time dim"]]]:
    """Collects a layer's output at the positions that predict the response, for passes made inside.

    Without a layer nothing is collected.
    """
    collected: list[Tensor] = []
    if layer is None:
        yield collected
        return

    def keep(module: torch.nn.Module, inputs: object, output: Tensor | tuple[Tensor, ...]) -> None:
        hidden = output if isinstance(output, Tensor) else output[0]  # (B, L, d)
        hidden = hidden.to(batch.predictors.device)
        index = batch.predictors.unsqueeze(-1).expand(-1, -1, hidden.shape[-1])
        collected.append(hidden.gather(1, index))

    handle = _layers(model)[1][layer].register_forward_hook(keep)
    try:
        yield collected
    finally:
        handle.remove()
