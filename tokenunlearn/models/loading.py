"""Load presets, Hub ids, local folders and GGUF files with tokenizer, chat template, device and dtype."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tokenunlearn.errors import ModelNotFoundError, TokenUnlearnError
from tokenunlearn.folders import readable, user_path
from tokenunlearn.models.adapters import with_adapters
from tokenunlearn.models.checkpoints import find_checkpoint
from tokenunlearn.models.devices import use_threads
from tokenunlearn.models.hub import revision_of, shown, snapshot
from tokenunlearn.models.loaded_model import LoadedModel
from tokenunlearn.models.model_folders import model_folders, name_text
from tokenunlearn.models.placement import DeviceMap, Placement
from tokenunlearn.models.presets import PRESETS, base_model_name, require_preset
from tokenunlearn.models.pretrained import check_vocabulary, read_model, read_tokenizer
from tokenunlearn.models.recipe import find_recipe
from tokenunlearn.models.source import layered
from tokenunlearn.models.unlearned_mark import is_marked, is_marked_folder, mark_model
from tokenunlearn.models.weight_files import ModelFiles

# Transformers switches global state while it makes a model, which two threads would mix up.
_ONE_AT_A_TIME = threading.RLock()


def load_model(
    name: str | Path,
    *,
    adapter: str | Path | Sequence[str | Path] = (),
    device: str = "auto",
    dtype: str = "auto",
    revision: str | None = None,
    template_kwargs: Mapping[str, Any] | None = None,
    quantization: str | None = None,
    device_map: DeviceMap | None = None,
) -> LoadedModel:
    """Load a model with its tokenizer.

    Args:
        name: A preset ("demo", "smollm2-authors", ...), a public checkpoint
            ("tofu_Llama-3.2-1B-Instruct_full", ...), a hub id, a local folder, or a GGUF file. A folder or id
            that holds only an adapter is loaded with the base model that it names. Safetensors and GGUF only;
            code that comes with a model is never run.
        adapter: What runs changed, the earliest first: their ``adapter`` folders, each holding a LoRA adapter
            or the full weights.
        device: "auto", "cpu", "cuda", "cuda:1", "mps".
        dtype: "float32", "bfloat16", "float16", or "auto": bfloat16 on a GPU, float32 elsewhere.
        revision: Hub revision; ignored for presets and folders.
        template_kwargs: Variables of the chat template by name, as transformers takes them; thinking is off
            unless ``enable_thinking`` is True.
        quantization: "4bit" or "8bit" rounds the weights with bitsandbytes while they are loaded.
        device_map: In place of ``device``: "auto", "balanced", "balanced_low_0" or "sequential" spread the
            layers over all accelerators; or the device of each module by name, "" for all.

    Raises:
        ModelNotFoundError: With one sentence saying what is missing and how to get it.
    """
    from tokenunlearn.models.forward import check_logits

    name = name_text(name)
    placement = Placement.named(device, dtype, device_map, quantization)
    given = [adapter] if isinstance(adapter, str | Path) else [path for path in adapter if path]
    with _ONE_AT_A_TIME, quiet():
        if name in PRESETS:
            require_preset(name)
        own = model_folders(name, revision, lambda hub_id, at: snapshot(hub_id, at, placement.check))
        weights, loras = layered(own, [_adapter_folder(path) for path in given])
        assert weights is not None  # the first of a model's own folders holds some
        files = ModelFiles.read(weights)
        placement.check(weights)
        tokenizer = read_tokenizer(_tokenizer_folder(own))
        model = read_model(files, placement)
        check_vocabulary(model, tokenizer, shown(own[0]))
        model = with_adapters(model, loras)
        if not is_marked(model) and any(map(is_marked_folder, own)):  # an adapter's mark is beside it
            mark_model(model)
    # What peft names as the base of an adapter that is trained on this model.
    model.name_or_path = "" if given else _own_name(name)
    model.eval()
    if model.device.type == "cpu":
        use_threads(model.num_parameters())
    check_logits(model)
    checkpoint = find_checkpoint(name)
    if checkpoint and tokenizer.chat_template:
        tokenizer.chat_template = checkpoint.dated(tokenizer.chat_template)
    known = PRESETS.get(name) or checkpoint or find_recipe(own[0])
    fingerprint = revision_of(weights) + (f"-{quantization}" if quantization else "")
    return LoadedModel(
        model,
        tokenizer,
        name,
        "+".join([fingerprint, *map(revision_of, loras)]),
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


def _adapter_folder(adapter: str | Path) -> Path:
    path = readable(user_path(adapter))
    if not any(os.path.exists(path / name) for name in ("adapter_config.json", "config.json")):
        raise ModelNotFoundError(
            f'The adapter folder "{adapter}" has neither adapter_config.json nor config.json; '
            "use the adapter folder of a run."
        )
    return path


def _tokenizer_folder(own: Sequence[Path]) -> Path:
    """Where a model's tokenizer is: with its last adapter that has one, else with its base."""
    return next((path for path in reversed(own[1:]) if (path / "tokenizer.json").exists()), own[0])


def _own_name(name: str) -> str:
    """The name by which a model is found from any working directory."""
    path = user_path(name)
    return str(path.resolve()) if name not in PRESETS and os.path.exists(path) else name
