"""LoRA adapters of folders, merged into a model or, over quantized weights, put into its layers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from tokenunlearn.errors import ModelNotFoundError
from tokenunlearn.models.hub import shown
from tokenunlearn.models.quantization import is_quantized
from tokenunlearn.models.weight_files import (
    ADAPTER_WEIGHTS,
    check_finite,
    check_fit,
    json_object,
    tensor_shapes,
)

if TYPE_CHECKING:
    from peft import PeftModel
    from transformers import PreTrainedModel

# Initializations that take from the base weights what the adapter is to hold; loading does not repeat them.
CHANGES_BASE = ("pissa", "olora", "corda", "loftq", "eva", "lora_ga")


def with_adapters(model: PreTrainedModel, folders: Sequence[Path]) -> PreTrainedModel:
    """The model with adapters in it, the earliest first.

    They are merged into plain weights. Merged into quantized ones they would be rounded, which can undo what
    was unlearned; there they stay beside the weights, and their changes add up.

    Raises:
        ModelNotFoundError: If one cannot be read or does not fit the model.
    """
    if not is_quantized(model):
        for folder in folders:
            adapted = _put(model, folder, "default")
            with _one_sentence(folder):
                model = adapted.merge_and_unload()
        return model
    names = [f"adapter_{number}" for number in range(len(folders))]
    for folder, name in zip(folders, names, strict=True):
        adapted = _put(model, folder, name)
    if names:
        adapted.base_model.set_adapter(names, inference_mode=True)  # type: ignore[operator]
    return model


def _put(model: PreTrainedModel, folder: Path, name: str) -> PeftModel:
    """A LoRA adapter in the layers of the model."""
    import torch
    from peft import PeftConfig, PeftModel, get_peft_model_state_dict

    weights, owner = folder / ADAPTER_WEIGHTS, f'The adapter "{shown(folder)}"'
    if not weights.is_file():
        raise ModelNotFoundError(
            f"{owner} has no {ADAPTER_WEIGHTS}; other formats can run code, so convert it first."
        )
    start = str(json_object(folder / "adapter_config.json").get("init_lora_weights")).lower()
    if start.startswith(CHANGES_BASE):
        raise ModelNotFoundError(
            f"{owner} belongs to base weights that its initialization changed ({start}); save it as an "
            "ordinary LoRA, with path_initial_model_for_weight_conversion."
        )
    tensor_shapes(weights)
    with _one_sentence(folder):
        config = PeftConfig.from_pretrained(str(folder))
        with torch.device("meta"):  # so that a rank takes no memory that the weights do not have
            adapted = PeftModel(model, config, name, low_cpu_mem_usage=True)
        report = adapted.load_adapter(str(folder), name, low_cpu_mem_usage=True)
        check_fit(f"{owner} does not fit the model", report.missing_keys, report.unexpected_keys)
        state = get_peft_model_state_dict(adapted, adapter_name=name, save_embedding_layers=False)
        check_finite(owner, state)
    return adapted


@contextmanager
def _one_sentence(folder: Path) -> Iterator[None]:
    """Turn what peft, safetensors and torch raise, each of its own kind, into one sentence."""
    try:
        yield
    except ModelNotFoundError:
        raise
    except Exception as error:
        text = " ".join(str(error).split())[:300]
        raise ModelNotFoundError(f'The adapter "{shown(folder)}" does not fit the model: {text}') from error
