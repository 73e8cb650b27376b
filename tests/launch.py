"""Starts a module alone or in two processes, as a person does."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ALONE: tuple[str, ...] = ()
TORCHRUN = ("-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2")
# With a free port: two launches at once may both find its own default port free.
ACCELERATE = (
    *("-m", "accelerate.commands.launch", "--multi_gpu", "--num_processes", "2"),
    *("--main_process_port", "0"),
)


def launch(launcher, module, *words):
    """The ended process; fails where it has."""
    own = {"OMP_NUM_THREADS": "1", "ACCELERATE_USE_CPU": "true"}  # accelerate's --cpu starts one process
    command = [sys.executable, *launcher, "-m", module, *map(str, words)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env=os.environ | own)
    assert done.returncode == 0, done.stderr[-3000:]
    return done


def imported_by(module, *words):
    """Names of all modules that a started module imports, and of their packages."""
    done = launch(("-X", "importtime"), module, *words)
    names = re.findall(r"^import time: .*\| +([\w.]+)$", done.stderr, re.MULTILINE)
    return {*names, *(name.partition(".")[0] for name in names)}
