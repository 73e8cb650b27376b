"""Samples and settings of a small run, as words of the command line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from tests.launch import ROOT

ROWS = [
    {"question": f"Who lives in house {i}?", "answer": f"The baker number {i} does.", "span": [[4, 18]]}
    for i in range(4)
]
QUICK = ("--steps", "2", "--batch-size", "2", "--retain-batch-size", "2")


def retained(samples):
    """Other samples, in a file next to those to forget."""
    path = Path(samples.removeprefix("file:")).with_name("retained.jsonl")
    path.write_text("".join(json.dumps(row | {"answer": "It is empty.", "span": []}) + "\n" for row in ROWS))
    return f"file:{path}"


def unlearning(model, samples):
    """Words that unlearn samples and retain others, those of :func:`retained`."""
    return ("unlearn", "--model", model, "--samples", samples, "--retain", retained(samples))


def subprocess_of(*words, **environment):
    return subprocess.Popen(
        [sys.executable, "-m", "tokenunlearn", *map(str, words)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"} | environment,
    )
