"""Runs in a process of their own, which outlives the one that starts it.

The process carries out its runs in order and holds their locks, so any other process on the same folder of
runs sees how far they are; what it prints goes to ``log.txt`` of the run in progress.
"""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from shutil import copytree, ignore_patterns
from tempfile import TemporaryDirectory

import psutil

from tokenunlearn.errors import FileError, RunError
from tokenunlearn.files import refusal, write_json
from tokenunlearn.folders import CHECKOUT
from tokenunlearn.models.processes import is_main_process
from tokenunlearn.runs.locks import release
from tokenunlearn.runs.run import Run
from tokenunlearn.runs.runner import end, end_cancelled, execute
from tokenunlearn.runs.state import RunState
from tokenunlearn.stored import read_json

PROCESS, LOG = "process.json", "log.txt"
# Seconds a process is given to come up, and to stop before it is ended.
START, GRACE = 300.0, 30.0
POLL = 0.05


@dataclass(frozen=True)
class RunProcess:
    """The process that carries out a run.

    Attributes:
        host: Machine or container that it runs on.
        pid: Its number there.
        started: When it started, in seconds since 1970; tells it from a later one of the same number.
    """

    host: str
    pid: int
    started: float

    @classmethod
    def present(cls) -> RunProcess:
        """The process that asks."""
        return cls(platform.node(), os.getpid(), psutil.Process().create_time())

    @classmethod
    def of(cls, run: Run) -> RunProcess | None:
        """The process of a run; None if it has none of its own."""
        try:
            process: RunProcess = read_json(run.folder / PROCESS, RunProcess)
        except FileError:
            return None
        return process

    def alive(self) -> psutil.Process | None:
        """The process, if it runs on this machine."""
        with suppress(psutil.Error, ValueError, OverflowError):  # the number may be no process's
            process = psutil.Process(self.pid)
            if self.host == platform.node() and abs(process.create_time() - self.started) < 1:
                return process
        return None


def launch(runs: Sequence[Run], processes: int = 1) -> None:
    """Start a process that carries out runs in order, and return once it has them.

    Args:
        runs: Runs of one folder that belong to this process; what cannot be started is failed.
        processes: How many processes work on each run together, as ``accelerate launch`` starts them.

    Raises:
        RunError: If the process does not come up; its output says why.
        TokenUnlearnError: If its output cannot be written.
    """
    log = runs[0].folder / LOG
    for run in runs:
        (run.folder / PROCESS).unlink(missing_ok=True)
    try:
        with open(log, "ab") as output:
            child = subprocess.Popen(
                _command(runs, processes),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=_environment(),
                start_new_session=True,
            )
    except OSError as error:
        raise refusal(log, error) from error
    deadline = time.monotonic() + START
    while not hand_over(runs):
        if child.poll() is not None or time.monotonic() > deadline:
            child.kill()
            message = f"Its process did not start; {log.name} of the run {runs[0].id} says why."
            for run in filter(lambda run: run.own, runs):
                end(run, status="failed", message=message)
            raise RunError(message)
        time.sleep(POLL)


def hand_over(runs: Sequence[Run]) -> bool:
    """Give up the runs whose process has come up; whether those of all have."""
    ready = [run for run in runs if (run.folder / PROCESS).exists()]
    for run in ready:
        release(run.lock)
    return len(ready) == len(runs)


def take_over(runs: Sequence[Run]) -> None:
    """Be the process of runs that another one has started this one for.

    Raises:
        RunError: If the other one keeps them.
    """
    for run in runs:
        write_json(run.folder / PROCESS, asdict(RunProcess.present()))
    for run in runs:
        run.take(START)


def _environment() -> dict[str, str]:
    """Where a checkout is found from any folder."""
    paths = [str(CHECKOUT or ""), os.environ.get("PYTHONPATH", "")]
    return os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, paths))}


def _command(runs: Sequence[Run], processes: int) -> list[str]:
    several = ["-m", "accelerate.commands.launch", "--multi_gpu", "--num_processes", str(processes)]
    launcher = several if processes > 1 else []
    words = ["runs", "execute", *(run.id for run in runs), "--out", str(runs[0].folder.absolute().parent)]
    return [sys.executable, *launcher, "-m", "tokenunlearn", *words]


@contextmanager
def taken_over(runs: Sequence[Run]) -> Iterator[Sequence[Run]]:
    """The runs, taken over; of several processes the first one writes them, and the others work on copies.

    Raises:
        RunError: If the process that started this one keeps them.
    """
    if is_main_process():
        take_over(runs)
        yield runs
        return
    with TemporaryDirectory() as scratch:
        copies = [Run(Path(scratch) / run.id) for run in runs]
        for run, copy in zip(runs, copies, strict=True):
            copytree(run.folder, copy.folder, ignore=ignore_patterns("lock", "cancel"))
            write_json(copy.folder / "spec.json", replace(run.spec, evaluate=0).to_json())
        yield copies


def carry_out(run: Run, waiting: list[Run], between: Callable[[], None]) -> RunState:
    """Execute a run; those that wait for it and are cancelled meanwhile end at once.

    Args:
        run: The run.
        waiting: Runs of this process that come later; what ends is taken off.
        between: Called between units of work.
    """

    def look() -> None:
        between()
        for other in [other for other in waiting if other.cancel_requested]:
            waiting.remove(other)
            end_cancelled(other, "Cancelled before it started.")

    return execute(run, between=look)


def log_to(run: Run) -> None:
    """Have everything that this process prints from now on go to the log of a run."""
    with open(run.folder / LOG, "ab") as file:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
            os.dup2(file.fileno(), stream.fileno())


def stop(run: Run, grace: float = GRACE) -> RunState:
    """Ask a run to stop, and end its process if it does not: by SIGTERM, then by SIGKILL.

    A run without a process of its own, or with one on another machine, is only asked.

    Args:
        run: An active run.
        grace: Seconds from each of these to the next.

    Returns:
        The state after that; an ended process leaves its run interrupted.

    Raises:
        RunError: If the run has ended already.
    """
    run.request_cancel()
    return end_process(run, grace)


def end_process(run: Run, grace: float = GRACE) -> RunState:
    """Wait until a run that was asked to stop has ended, and end its process if it does not.

    A run that waits is left alone: its process works on another one, and ends it between two steps of that.

    Args:
        run: The run.
        grace: Seconds to wait, then from SIGTERM to SIGKILL. After that the system ends it, which may take a
            moment.
    """
    owner = RunProcess.of(run)
    process = owner.alive() if owner else None
    _wait(run, grace)
    for finish, patience in ((process.terminate, grace), (process.kill, GRACE)) if process else ():
        if run.state.status == "running":
            with suppress(psutil.Error):
                finish()
            _wait(run, patience)
    return run.state


def _wait(run: Run, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while run.state.active and time.monotonic() < deadline:
        time.sleep(POLL)


def log_of(run: Run, lines: int = 40) -> str:
    """The last lines of a run's log; "" without one."""
    path = run.folder / LOG
    with suppress(OSError), open(path, "rb") as file:
        file.seek(max(0, os.path.getsize(path) - 200 * lines))
        return "\n".join(file.read().decode(errors="replace").splitlines()[-lines:])
    return ""
