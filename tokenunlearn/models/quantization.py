"""Quantized weights: what this machine can run, and what is said where it cannot."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from tokenunlearn.errors import ModelNotFoundError, TokenUnlearnError

if TYPE_CHECKING:
    import torch
    from transformers import BitsAndBytesConfig, PreTrainedModel

QUANTIZATIONS = ("4bit", "8bit")


def bitsandbytes_config(quantization: str, dtype: torch.dtype) -> BitsAndBytesConfig:
    """How bitsandbytes rounds weights while they are loaded: "4bit" is NF4 twice quantized, "8bit" LLM.int8.

    Args:
        quantization: "4bit" or "8bit".
        dtype: What the products are computed in.

    Raises:
        ModelNotFoundError: If there is no such quantization, or bitsandbytes cannot run here.
    """
    from transformers import BitsAndBytesConfig

    if quantization not in QUANTIZATIONS:
        raise ModelNotFoundError(
            f'Unknown quantization "{quantization}"; use {" or ".join(QUANTIZATIONS)}, or none.'
        )
    if quantization == "8bit":
        config = BitsAndBytesConfig(load_in_8bit=True)
    else:
        config = BitsAndBytesConfig(
            load_in_4bit=True,
            bnb_4bit_quant_type="nf4",
            bnb_4bit_use_double_quant=True,
            bnb_4bit_compute_dtype=dtype,
        )
    _check_environment(f"Quantization to {quantization}", config, {"": "cpu"}, stored=False)
    return config


def check_quantized(owner: str, config: Mapping[str, Any], placement: Mapping[str, Any] | str) -> None:
    """Refuse a stored quantization that this machine cannot run, from its configuration alone.

    Args:
        owner: What is quantized, as the sentence begins.
        config: The ``quantization_config`` of a config.json.
        placement: A device map of transformers.

    Raises:
        ModelNotFoundError: With the method and what is missing.
    """
    from transformers.quantizers.auto import AUTO_QUANTIZATION_CONFIG_MAPPING

    method = config.get("quant_method") if isinstance(config, Mapping) else None
    bits = isinstance(config, Mapping) and (config.get("load_in_4bit") or config.get("load_in_8bit"))
    if not bits and method not in AUTO_QUANTIZATION_CONFIG_MAPPING:
        raise ModelNotFoundError(
            f'{owner} has a quantization_config of the unknown method "{method}"; transformers knows '
            f"{', '.join(sorted(AUTO_QUANTIZATION_CONFIG_MAPPING))}."
        )
    _check_environment(f"{owner} is quantized with {method or 'bitsandbytes'}, which", config, placement)


def _check_environment(owner: str, config: Any, placement: Any, *, stored: bool = True) -> None:
    from transformers.quantizers.auto import AutoHfQuantizer

    try:
        quantizer = AutoHfQuantizer.from_config(config, pre_quantized=stored)
        quantizer.validate_environment(device_map=placement, weights_only=True)
    except Exception as error:  # each method raises its own kinds
        reason = " ".join(str(error).split()).rstrip(".")
        raise ModelNotFoundError(f"{owner} cannot run on this machine: {reason[:300]}.") from error


def is_quantized(model: PreTrainedModel) -> bool:
    """Whether the model computes with quantized weights."""
    return bool(getattr(model, "is_quantized", False))


def check_trainable(model: PreTrainedModel, train: str) -> None:
    """Refuse to train all weights of a quantized model.

    Raises:
        TokenUnlearnError: If they are to be trained.
    """
    if train == "full" and is_quantized(model):
        raise TokenUnlearnError(
            "The model's weights are quantized, so they cannot be trained; train a LoRA adapter over them "
            "(train lora), or load the model without quantization."
        )
