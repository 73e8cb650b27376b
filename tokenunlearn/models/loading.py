"""Load presets, hub ids and local folders with tokenizer, chat template, device and dtype."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tokenunlearn.errors import ModelNotFoundError, TokenUnlearnError
from tokenunlearn.folders import ASSETS
from tokenunlearn.models.checkpoints import find_checkpoint
from tokenunlearn.models.devices import device_named, dtype_named, use_threads
from tokenunlearn.models.fingerprint import weights_fingerprint
from tokenunlearn.models.loaded_model import LoadedModel
from tokenunlearn.models.presets import PRESETS, ModelPreset, base_model_name
from tokenunlearn.models.recipe import find_recipe
from tokenunlearn.models.smollm2 import convert_smollm2
from tokenunlearn.models.source import layered
from tokenunlearn.models.weight_files import (
    ADAPTER_WEIGHTS,
    ModelFiles,
    check_finite,
    check_fit,
    json_object,
    tensor_shapes,
)

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

LONGEST_HUB_ID = 193  # owner and name have at most 96 characters each


def load_model(
    name: str,
    *,
    adapter: str | Path | Sequence[str | Path] = (),
    device: str = "auto",
    dtype: str = "auto",
    revision: str | None = None,
    template_kwargs: Mapping[str, Any] | None = None,
) -> LoadedModel:
    """Load a model with its tokenizer.

    Args:
        name: A preset ("demo", "smollm2-authors", ...), a public checkpoint
            ("tofu_Llama-3.2-1B-Instruct_full", ...), a hub id, or a local folder. Safetensors only; code that
            comes with a model is never run.
        adapter: What runs changed, the earliest first: their ``adapter`` folders, each holding a LoRA adapter
            or the full weights.
        device: "auto", "cpu", "cuda", "cuda:1", "mps".
        dtype: "float32", "bfloat16", "float16", or "auto": bfloat16 on a GPU, float32 elsewhere.
        revision: Hub revision; ignored for presets and folders.
        template_kwargs: Variables of the chat template by name, as transformers takes them; thinking is off
            unless ``enable_thinking`` is True.

    Raises:
        ModelNotFoundError: With one sentence saying what is missing and how to get it.
    """
    from tokenunlearn.models.forward import check_logits

    device = device_named(device)
    torch_dtype = dtype_named(dtype, device)
    with quiet():  # what does not fit is refused in one sentence
        preset, checkpoint = PRESETS.get(name), find_checkpoint(name)
        folder = _preset_folder(name, preset) if preset else _existing_folder(name)
        source = str(folder or (checkpoint.hub_id if checkpoint else name))
        own = [ASSETS / "models" / preset.adapter] if preset and preset.adapter else []
        given = [adapter] if isinstance(adapter, str | Path) else adapter
        weights, loras = layered(
            [*filter(None, [folder]), *own], [_adapter_folder(path) for path in given if path]
        )
        model, tokenizer = _load(source, str(weights or source), torch_dtype, revision)
        fingerprint = (
            weights_fingerprint(weights) if weights else getattr(model.config, "_commit_hash", "") or ""
        )
        for lora in loras:
            model = _merge(model, lora)
            fingerprint += "+" + weights_fingerprint(lora)
    model.to(device).eval()  # type: ignore[arg-type]
    if device == "cpu":
        use_threads(model.num_parameters())
    check_logits(model)
    if checkpoint and tokenizer.chat_template:
        tokenizer.chat_template = checkpoint.dated(tokenizer.chat_template)
    known = preset or checkpoint or (find_recipe(folder) if folder else None)
    return LoadedModel(
        model,
        tokenizer,
        name,
        fingerprint,
        known.system_prompt if known else None,
        dict(template_kwargs or {}),
    )


@contextmanager
def quiet() -> Iterator[None]:
    """Keep transformers from writing to the terminal meanwhile."""
    from transformers import logging

    bars, verbosity = logging.is_progress_bar_enabled(), logging.get_verbosity()
    logging.disable_progress_bar()
    logging.set_verbosity(logging.CRITICAL)
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if bars:
            logging.enable_progress_bar()


def load_base_model(lm: LoadedModel, name: str = "auto") -> LoadedModel:
    """Load a model that never saw the forget set and reads the token ids of ``lm``, on the same device.

    Args:
        lm: The model that it is compared with.
        name: What :func:`load_model` takes, or "auto" for the :func:`base_model_name` of a preset.

    Raises:
        ModelNotFoundError: If it cannot be loaded.
        TokenUnlearnError: If "auto" knows none, or its vocabulary is another one.
    """
    base = load_model(base_model_name(lm.name) if name == "auto" else name, device=str(lm.device))
    if base.tokenizer.get_vocab() != lm.tokenizer.get_vocab():
        raise TokenUnlearnError(
            f'The base model "{base.name}" has a different vocabulary than "{lm.name}", '
            "so their token probabilities cannot be compared."
        )
    return base


def _existing_folder(name: str) -> Path | None:
    """The folder a name points at, or None when it is to be looked up on the hub."""
    path = Path(os.path.expanduser(name))
    if name.strip() and os.path.isdir(path):
        if (path / "adapter_config.json").exists():
            raise ModelNotFoundError(
                f'The folder "{name}" holds an adapter; give it as adapter, and its base model as model.'
            )
        if not (path / "config.json").exists():
            raise ModelNotFoundError(
                f'The folder "{name}" has no config.json, so it is not a transformers model.'
            )
        return path
    no_hub_id = len(name) > LONGEST_HUB_ID or not name.isprintable() or name.count("/") > 1
    if no_hub_id or name.startswith((".", "/", "~")) or not name.strip():
        shown = name if len(name) <= LONGEST_HUB_ID else f"{name[:LONGEST_HUB_ID]}…"
        raise ModelNotFoundError(
            f'There is no model folder "{shown}"; use a preset ({", ".join(PRESETS)}) or a Hub id.'
        )
    return None


def _adapter_folder(adapter: str | Path) -> Path:
    path = Path(os.path.expanduser(adapter))
    if not any(os.path.exists(path / name) for name in ("adapter_config.json", "config.json")):
        raise ModelNotFoundError(
            f'The adapter folder "{adapter}" has neither adapter_config.json nor config.json; '
            "use the adapter folder of a run."
        )
    return path


def _preset_folder(name: str, preset: ModelPreset) -> Path:
    folder = convert_smollm2() if preset.base == "smollm2" else ASSETS / "models" / preset.base
    wanted = [folder] + ([ASSETS / "models" / preset.adapter] if preset.adapter else [])
    for path in wanted:
        if not any(path.glob("*.safetensors")):
            raise ModelNotFoundError(
                f'The weights of "{name}" are not in {path}; '
                f"build them with: python -m tools.embedded build {name}"
            )
    return folder


def _load(
    tokenizer_source: str, source: str, dtype: torch.dtype, revision: str | None
) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    files = ModelFiles.read(Path(source)) if os.path.isdir(source) else None
    model: PreTrainedModel
    report: dict[str, Any]
    try:
        tokenizer = AutoTokenizer.from_pretrained(
            tokenizer_source, revision=revision, trust_remote_code=False
        )
        with files.limit_parameters() if files else nullcontext():
            model, report = AutoModelForCausalLM.from_pretrained(  # type: ignore[misc]
                source,
                dtype=dtype,
                revision=revision,
                use_safetensors=True,
                trust_remote_code=False,
                ignore_mismatched_sizes=True,  # they are refused below, by name
                output_loading_info=True,
            )
    except ModelNotFoundError:
        raise
    except Exception as error:  # the hub client, safetensors and transformers each raise their own kinds
        raise ModelNotFoundError(_why_not_loaded(source, error)) from error
    check_fit(
        f'The weights of "{source}" do not fit its config.json',
        report["missing_keys"],
        report["unexpected_keys"],
        [name for name, *_ in report["mismatched_keys"]],
    )
    if files:
        files.check_family()
    check_finite(f'The model "{source}"', model.state_dict())
    if not tokenizer.is_fast:
        raise ModelNotFoundError(
            f'The tokenizer of "{source}" is not a fast tokenizer, so it gives no character offsets.'
        )
    return model, tokenizer


def _why_not_loaded(source: str, error: Exception) -> str:
    text = " ".join(str(error).split())
    lowered = text.lower()
    remote = not os.path.isdir(source)
    unreachable = ("couldn't connect", "offline", "connection", "resolve host", "max retries")
    if remote and any(mark in lowered for mark in unreachable):
        return (
            f'The model "{source}" is not on this machine and the Hub could not be reached; '
            f"use a local folder or one of {', '.join(PRESETS)}."
        )
    unknown = ("not a valid model identifier", "404", "repository not found")
    if remote and any(mark in lowered for mark in unknown):
        return f'There is no model "{source}" on the Hub; check the id, or log in if it is private.'
    if "safetensors" in lowered:
        return (
            f'The model "{source}" has no readable safetensors weights; '
            "other formats can run code, so convert the weights first."
        )
    return f'The model "{source}" could not be loaded: {text[:300]}'


def _merge(model: PreTrainedModel, adapter: Path) -> PreTrainedModel:
    import torch
    from peft import PeftConfig, PeftModel, get_peft_model_state_dict

    weights, owner = adapter / ADAPTER_WEIGHTS, f'The adapter "{adapter}"'
    if not weights.is_file():
        raise ModelNotFoundError(
            f"{owner} has no {ADAPTER_WEIGHTS}; other formats can run code, so convert it first."
        )
    json_object(adapter / "adapter_config.json")
    tensor_shapes(weights)
    try:
        config = PeftConfig.from_pretrained(str(adapter))
        with torch.device("meta"):  # so that a rank takes no memory that the weights do not have
            adapted = PeftModel(model, config, low_cpu_mem_usage=True)
        report = adapted.load_adapter(str(adapter), "default", low_cpu_mem_usage=True)
        check_fit(f"{owner} does not fit the model", report.missing_keys, report.unexpected_keys)
        check_finite(owner, get_peft_model_state_dict(adapted, save_embedding_layers=False))
        merged: PreTrainedModel = adapted.merge_and_unload()
    except ModelNotFoundError:
        raise
    except Exception as error:  # peft, safetensors and torch each raise their own kinds
        text = " ".join(str(error).split())[:300]
        raise ModelNotFoundError(f"{owner} does not fit the model: {text}") from error
    return merged
