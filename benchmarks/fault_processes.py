"""The processes that meet a fault: who carries out the runs of a store, what goes wrong there and when.

A fault begins with a phase of the run and stays: ``full`` lets no file grow, ``readonly`` mounts the store
read-only, ``memory`` refuses every further page, ``clock`` sets the clock ahead by 400 days and then back by
800. The last needs libfaketime; ``readonly`` and a process number of one's own need the rights of root.
"""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil

from tokenunlearn.runs.launch import launch
from tokenunlearn.runs.resume import requeue, resumable
from tokenunlearn.runs.run import Run
from tokenunlearn.runs.runner import execute
from tokenunlearn.runs.store import RunStore
from tokenunlearn.runs.worker import Worker

OWNERS = ("command", "server", "detached")
MAIN = "from benchmarks.fault_processes import main; main()"
CLOCK = "clock"
FAKETIME = next(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"), None)
# In a namespace of its own each such process has the number 1, as the first one of a container has.
SAME_PID = ("unshare", "--fork", "--pid", "--mount-proc", "--kill-child")
OWN_MOUNTS = ("unshare", "--mount")


def started(
    root: Path, owner: str = "command", fault: str = "", phase: str = "", inside: tuple[str, ...] = ()
) -> subprocess.Popen[bytes]:
    """A process that carries out the runs of a store."""
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    if fault == CLOCK:
        (root.parent / CLOCK).write_text("+0")
        environment |= {
            "LD_PRELOAD": str(FAKETIME),
            "FAKETIME_TIMESTAMP_FILE": str(root.parent / CLOCK),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }
    return subprocess.Popen(
        [*inside, sys.executable, "-c", MAIN, str(root), owner, fault, phase],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=environment,
        start_new_session=True,
    )


def kill(process: subprocess.Popen[Any]) -> None:
    """Kill a process and all that it has started, at once, and wait until they are gone."""
    parent = psutil.Process(process.pid)
    everyone = [*parent.children(recursive=True), parent]
    for one in everyone:
        one.kill()
    process.wait()
    psutil.wait_procs(everyone)


def work(root: Path, owner: str, fault: str, phase: str) -> None:
    """Carry out what has not ended, in the way of an owner of runs; meet the fault on the way."""
    runs = [run for run in RunStore(root).runs() if resumable(run)]
    if owner == "command":
        for run in runs:
            requeue(run)
            execute(run, between=_fault(fault, phase, run))
    elif owner == "server":
        worker = Worker()
        for run in runs:
            requeue(run)
            worker.submit(run)
        _wait(runs)
    else:
        for run in runs:
            requeue(run)
        launch(runs)
        _wait(runs)


def _wait(runs: list[Run]) -> None:
    while any(run.state.active for run in runs):
        time.sleep(0.1)


def _fault(name: str, phase: str, run: Run) -> Callable[[], None]:
    """What is called between the steps of a run, and makes a fault once its phase has begun."""
    begin = {"full": _full, "readonly": _read_only, "memory": _no_memory, CLOCK: _jump}.get(name)

    def between() -> None:
        if begin is not None and run.state.phase == phase:
            begin(run.folder.parent)

    return between


def _full(root: Path) -> None:
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))


def _read_only(root: Path) -> None:
    if os.statvfs(root).f_flag & os.ST_RDONLY:
        return
    subprocess.run(["mount", "--bind", root, root], check=True)
    subprocess.run(["mount", "-o", "remount,bind,ro", root], check=True)


def _no_memory(root: Path) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (psutil.Process().memory_info().vms, resource.RLIM_INFINITY))


def _jump(root: Path) -> None:
    ahead = (root.parent / CLOCK).read_text() == "+400d"
    (root.parent / CLOCK).write_text("-400d" if ahead else "+400d")


def main() -> None:
    """Do what the command line says."""
    work(Path(sys.argv[1]), *sys.argv[2:])
