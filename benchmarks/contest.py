"""Contenders that take turns, each in a process of its own, and what is said about their figures."""

from __future__ import annotations

import json
import math
import os
import platform
import resource
import statistics
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks import stored_result, write_result


def alternate(
    module: str, contenders: Sequence[str], rounds: int, asked: Sequence[str], patience: float = math.inf
) -> dict[str, list[dict[str, Any]]]:
    """What every contender printed as its last line, JSON, once a round; rounds go through all contenders.

    Args:
        module: Module to run, with ``--contend NAME``.
        contenders: Their names.
        rounds: Turns of each contender.
        asked: Further arguments.
        patience: A contender whose measured work took longer, in seconds, has no second turn.
    """
    runs: dict[str, list[dict[str, Any]]] = {name: [] for name in contenders}
    for _ in range(rounds):
        for name in contenders:
            if runs[name] and max(runs[name][0]["seconds"]) > patience:
                continue
            command = [sys.executable, "-m", module, "--contend", name, *asked]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode:
                raise RuntimeError(f"{name} failed:\n{done.stderr[-3000:]}")
            runs[name].append(json.loads(done.stdout.splitlines()[-1]))
    return runs


def stored_rows(path: Path, key: Sequence[str]) -> dict[tuple[Any, ...], dict[str, Any]]:
    """Rows of a result file by what tells them apart: one can be measured again, the others stay."""
    rows = (stored_result(path) or {"rows": []})["rows"]
    return {tuple(row[name] for name in key): row for row in rows}


def store_rows(path: Path, rows: dict[tuple[Any, ...], dict[str, Any]]) -> None:
    """Write rows, in the order of what tells them apart."""
    ordered = [rows[key] for key in sorted(rows)]
    write_result(path, {"rows": ordered})


def spread(values: Sequence[float]) -> dict[str, float]:
    """Median, smallest, largest and number of measurements."""
    return {"median": statistics.median(values), "min": min(values), "max": max(values), "n": len(values)}


def resident_mb() -> float:
    """Most memory that this process has held so far, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def device_name() -> str:
    """The GPU's name, or "CPU": what tells apart rows of different devices."""
    return str(machine()["gpu"] or "CPU")


def machine() -> dict[str, Any]:
    """Processor, cores, threads and GPU of this machine, and how loaded it was."""
    import torch

    return {
        "processor": platform.processor() or platform.machine(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        "torch": torch.__version__,
        "load": round(os.getloadavg()[0], 2),
    }
