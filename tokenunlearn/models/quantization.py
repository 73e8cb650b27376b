"""Quantized weights: what this machine can run, and what is said where it cannot."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from tokenunlearn.errors import ModelNotFoundError, TokenUnlearnError

if TYPE_CHECKING:
    import torch
    from transformers import BitsAndBytesConfig, PreTrainedModel

QUANTIZATIONS = ("4bit", "8bit")
BITSANDBYTES = "bitsandbytes"


def bitsandbytes_config(quantization: str, dtype: torch.dtype, device: str) -> BitsAndBytesConfig:
    """How bitsandbytes rounds weights while they are loaded: "4bit" is double-quantized NF4, "8bit" LLM.int8.

    Args:
        quantization: "4bit" or "8bit".
        dtype: What products are computed in.
        device: Where the model goes.

    Raises:
        ModelNotFoundError: If there is no such quantization, or it cannot run here.
    """
    if quantization not in QUANTIZATIONS:
        raise ModelNotFoundError(
            f'Unknown quantization "{quantization}"; use {" or ".join(QUANTIZATIONS)}, or none.'
        )
    owner = f"Quantization to {quantization}"
    _check_bitsandbytes(owner, [device])
    from transformers import BitsAndBytesConfig

    if quantization == "8bit":
        config = BitsAndBytesConfig(load_in_8bit=True)
    else:
        config = BitsAndBytesConfig(
            load_in_4bit=True,
            bnb_4bit_quant_type="nf4",
            bnb_4bit_use_double_quant=True,
            bnb_4bit_compute_dtype=dtype,
        )
    _check_environment(owner, config, {"": device}, stored=False)
    return config


def check_quantized(owner: str, config: Any, device_map: Mapping[str, Any] | str, device: str) -> None:
    """Refuse a stored quantization that this machine cannot run, from its configuration alone.

    Args:
        owner: What is quantized, as the sentence begins.
        config: The ``quantization_config`` of a config.json.
        device_map: Where the model goes, as transformers takes it.
        device: Where it goes if that is "auto".

    Raises:
        ModelNotFoundError: With the method and what is missing.
    """
    from transformers.quantizers.auto import AUTO_QUANTIZATION_CONFIG_MAPPING

    values = config if isinstance(config, Mapping) else {}
    by_bits = values.get("load_in_4bit") or values.get("load_in_8bit")
    method = BITSANDBYTES if by_bits else values.get("quant_method")
    if method not in (*AUTO_QUANTIZATION_CONFIG_MAPPING, BITSANDBYTES):
        raise ModelNotFoundError(
            f'{owner} has a quantization_config of the unknown method "{method}"; transformers knows '
            f"{', '.join(sorted(AUTO_QUANTIZATION_CONFIG_MAPPING))}."
        )
    owner = f"{owner} is quantized with {method}, which"
    if method == BITSANDBYTES:
        places = [device] if isinstance(device_map, str) else map(str, device_map.values())
        _check_bitsandbytes(owner, places)
    _check_environment(owner, config, device_map, stored=True)


def _check_bitsandbytes(owner: str, devices: Iterator[str] | list[str]) -> None:
    """Its 4-bit layers on a CPU pass no gradients to the layers below, so a GPU is asked for."""
    present = {"GPU": has_gpu(devices), f"package {BITSANDBYTES}": find_spec(BITSANDBYTES) is not None}
    missing = [name for name, there in present.items() if not there]
    if missing:
        raise ModelNotFoundError(
            f"{owner} needs a GPU and bitsandbytes; there is no {' and no '.join(missing)} here."
        )


def has_gpu(devices: Iterator[str] | list[str]) -> bool:
    """Whether none of the devices is the CPU."""
    return "cpu" not in devices


def _check_environment(owner: str, config: Any, device_map: Any, *, stored: bool) -> None:
    """Ask the method itself what it needs."""
    from transformers.quantizers.auto import AutoHfQuantizer

    try:
        quantizer = AutoHfQuantizer.from_config(config, pre_quantized=stored)
        quantizer.validate_environment(device_map=device_map, weights_only=True)
    except Exception as error:  # each method raises its own kinds
        reason = " ".join(str(error).split()).rstrip(".")
        raise ModelNotFoundError(f"{owner} cannot run on this machine: {reason[:300]}.") from error


def is_quantized(model: PreTrainedModel) -> bool:
    """Whether the model computes with quantized weights."""
    return bool(getattr(model, "is_quantized", False))


def quantized_layers(model: PreTrainedModel) -> Iterator[torch.nn.Module]:
    """The layers whose own weights are not floating-point numbers."""
    for layer in model.modules():
        if any(not weight.is_floating_point() for weight in layer.parameters(recurse=False)):
            yield layer


def check_trainable(model: PreTrainedModel, train: str) -> None:
    """Refuse to train all weights of a quantized model, or an adapter where the method passes no gradients.

    Raises:
        TokenUnlearnError: If that is asked for.
    """
    if not is_quantized(model):
        return
    if train == "full":
        raise TokenUnlearnError(
            "The model's weights are quantized, so they cannot be trained; train a LoRA adapter over them "
            "(train lora), or load the model without quantization."
        )
    quantizer: Any = model.hf_quantizer
    if not quantizer.is_trainable:
        method = quantizer.quantization_config.quant_method
        raise TokenUnlearnError(
            f"The model is quantized with {getattr(method, 'value', method)}, which supports no training."
        )
