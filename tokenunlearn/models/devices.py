"""Where models go by default, in which dtype, and how much memory is in use there."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from tokenunlearn.errors import ModelNotFoundError

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

# Parameters below which one thread is faster than several; `python -m benchmarks.threads` measures it.
SMALL_MODEL = 20_000_000


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


def input_device(model: PreTrainedModel) -> torch.device:
    """The device that a model's token ids go to."""
    embeddings: Any = model.get_input_embeddings()
    device: torch.device = embeddings.weight.device
    return device


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


def use_threads(parameters: int) -> int:
    """Set torch's threads on the CPU to what suits a model of this size, and return their number.

    The threads of a small model mostly wait for each other: one is faster, and leaves the other cores to
    other work. Larger models take the cores that are idle now, at least half of them. ``OMP_NUM_THREADS``
    wins over both.
    """
    import torch

    if "OMP_NUM_THREADS" in os.environ:
        return torch.get_num_threads()
    cores = os.process_cpu_count() if hasattr(os, "process_cpu_count") else os.cpu_count()
    cores = cores or 1
    busy = round(os.getloadavg()[0]) if hasattr(os, "getloadavg") else 0
    threads = 1 if parameters < SMALL_MODEL else max(cores - busy, cores // 2, 1)
    torch.set_num_threads(threads)
    return threads
