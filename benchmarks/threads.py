"""How many torch threads suit a model: seconds of scoring with one and with all, alone and beside other work.

    python -m benchmarks.threads [--models demo smollm2-authors] [--samples 64]

Other work is a process that multiplies matrices with all threads. Writes ``benchmarks/results/threads.json``.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from itertools import product
from pathlib import Path
from typing import Any

from benchmarks import RESULTS, write_result
from benchmarks.contest import machine

WORK = """
import sys, time
import tokenunlearn as tu
lm, samples = tu.load_model(sys.argv[1]), tu.load_samples("authors:retain90").spread(int(sys.argv[2]))
tu.score(lm, samples[:4])
begin = time.perf_counter()
tu.score(lm, samples)
print(time.perf_counter() - begin)
"""
BUSY = """
import torch
x = torch.randn(1500, 1500)
while True:
    x @ x
"""


def seconds(model: str, samples: int, threads: int, busy: bool) -> float:
    """Seconds of scoring in a process of its own, loading left out."""
    cores = str(os.cpu_count())
    other = (
        subprocess.Popen([sys.executable, "-c", BUSY], env=os.environ | {"OMP_NUM_THREADS": cores})
        if busy
        else None
    )
    try:
        done = subprocess.run(
            [sys.executable, "-c", WORK, model, str(samples)],
            check=True,
            capture_output=True,
            text=True,
            env=os.environ | {"OMP_NUM_THREADS": str(threads)},
        )
    finally:
        if other is not None:
            other.kill()
    return float(done.stdout)


def main() -> None:
    """Measure every combination and store it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--models", nargs="+", default=["demo", "smollm2-authors"])
    parser.add_argument("--samples", type=int, default=64)
    parser.add_argument("--out", type=Path, default=RESULTS / "threads.json")
    asked = parser.parse_args()
    rows: list[dict[str, Any]] = []
    for model, busy, threads in product(asked.models, (False, True), (1, os.cpu_count() or 1)):
        taken = seconds(model, asked.samples, threads, busy)
        rows.append({"model": model, "busy": busy, "threads": threads, "seconds": round(taken, 2)})
        print(rows[-1], file=sys.stderr)  # noqa: T201
    result = {"machine": machine(), "samples": asked.samples, "rows": rows}
    write_result(asked.out, result)


if __name__ == "__main__":
    main()
