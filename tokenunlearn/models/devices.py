"""Where models go by default, in which dtype, and how much memory is in use there."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from tokenunlearn.errors import ModelNotFoundError

if TYPE_CHECKING:
    import torch


def default_device() -> str:
    """Where models go by default: "cuda" where a GPU answers, then "mps", else "cpu".

    Each process of several on one machine has a GPU of its own.
    """
    import torch

    if torch.cuda.is_available() and os.environ.get("ACCELERATE_USE_CPU", "").lower() != "true":
        rank = os.environ.get("LOCAL_RANK")
        return f"cuda:{rank}" if rank else "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def device_named(name: str) -> str:
    """The device of a name; "auto" for the default one.

    Raises:
        ModelNotFoundError: If this machine has no such device.
    """
    import torch

    if name == "auto":
        return default_device()
    try:
        torch.empty(0, device=name)
    except (RuntimeError, AssertionError):  # torch raises either, by how it was built
        raise ModelNotFoundError(f'There is no device "{name}" on this machine; use auto or cpu.') from None
    return name


def dtype_named(name: str, device: str) -> torch.dtype:
    """The dtype of a name; "auto" for bfloat16 on a GPU and float32 elsewhere.

    Raises:
        ModelNotFoundError: If there is no such dtype.
    """
    import torch

    if name == "auto":
        return torch.bfloat16 if device.startswith("cuda") else torch.float32
    known = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
    if name not in known:
        raise ModelNotFoundError(f'Unknown dtype "{name}"; use auto, {", ".join(known)}.')
    return known[name]


def memory_in_use(device: torch.device) -> tuple[str, int]:
    """Where the model is, "gpu" or "process", and the bytes in use there now."""
    if device.type == "cuda":
        import torch

        return "gpu", torch.cuda.memory_allocated(device)
    import psutil

    return "process", psutil.Process().memory_info().rss
