"""Faults against runs: killed processes, full disks, exploding losses, damaged files, a model that is gone.

    python -m benchmarks.faults [--kills 60] [--seed 0] [--json]

Each fault meets a short run on the demo model in a process of its own. Afterwards the store is mended with
``runs doctor``, and what was interrupted is resumed. For each kind of fault, four numbers:

tried      faults that were made
wrong      runs whose status afterwards was not the truth, or readers that failed
lost       runs that could not be read any more, or did not end with the weights of an undisturbed run
recovered  runs that went on to their end with the same weights, to 1e-6

The disk is full for a process whose files may not grow: a limit of the operating system, set in a phase.
Writes ``benchmarks/results/faults.json`` and ``docs/reliability.md``.
"""

from __future__ import annotations

import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from rich.console import Console
from rich.table import Table
from safetensors.numpy import load_file

from benchmarks import RESULTS, tables
from tokenunlearn.errors import TokenUnlearnError
from tokenunlearn.evaluation.report import git_revision, versions
from tokenunlearn.runs.doctor import examine, mend
from tokenunlearn.runs.locks import release
from tokenunlearn.runs.run import Run
from tokenunlearn.runs.spec import RunSpec
from tokenunlearn.runs.store import RunStore

FORGET, RETAIN = "authors:forget10", "authors:retain90"
PHASES = ("loading", "scoring", "training", "comparing tokens", "generating")
CONFIG = {"objective": "npo", "steps": 12, "batch_size": 2, "retain_batch_size": 2, "train": "lora"}
GARBAGE = b"\x00{]not json\xff\n"
TOLERANCE = 1e-6
PAGE = RESULTS.parent.parent / "docs" / "reliability.md"
TEXT = """# Reliability

`python -m benchmarks.faults` meets a run of 12 steps on the demo model with each of these faults, each in
a process of its own, then mends the store with `runs doctor` and resumes what was interrupted. A fault
counts as *wrong* where a run's status was not the truth or a reader failed, as *lost* where a run could
not be read or did not end with the weights of an undisturbed run, to 1e-6 on the CPU, and as *recovered*
where it did.

{table}

Kills come at uniformly random moments of a run that takes {seconds_alone:g} s alone, starting and loading
included. The disk is full from the start of a phase on (each once): the operating system then refuses
every byte of the process. Runs that explode have to fail and keep finite weights; a damaged file has to
be named, and must not touch the run next to it.

Not tried here: a full memory, clocks that jump, network file systems, Windows, GPUs, and killed servers
with visitors; liveness does not depend on process ids or clocks, since whoever carries out a run holds a
lock on it.
"""


@dataclass
class Count:
    """What came of one kind of fault."""

    fault: str
    tried: int = 0
    wrong: int = 0
    lost: int = 0
    recovered: int = 0


def new_run(store: RunStore, samples: str, **config: Any) -> Run:
    """A queued run of a few steps that leaves a checkpoint every fourth."""
    spec = RunSpec.new(
        model="demo",
        samples=samples,
        retain=RETAIN,
        rule={"selection": "hard", "threshold": 0.8},
        config=CONFIG | config,
        checkpoints={"every": 4, "minutes": 0.0},
    )
    run = store.create(spec)
    release(run.lock)  # another process is to carry it out
    return run


def work(root: str, fault: str, phase: str) -> None:
    """What a process of its own does: carry out what has not ended, or meet a full disk in a phase."""
    from tokenunlearn.runs.resume import resumable
    from tokenunlearn.runs.runner import execute

    def disk_full() -> None:
        if run.state.phase == phase:
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))

    for run in RunStore(root).runs():
        if resumable(run):
            execute(RunStore(root).resume(run.id), between=disk_full if fault == "full" else None)


def started(root: Path, fault: str = "", phase: str = "") -> subprocess.Popen[bytes]:
    """A process that carries out the runs of a store."""
    command = [sys.executable, "-m", "benchmarks.faults", "--work", str(root), fault, phase]
    return subprocess.Popen(
        command,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        start_new_session=True,
    )


def weights(run: Run) -> dict[str, np.ndarray]:
    """The weights that a run has stored."""
    return load_file(run.folder / "adapter" / "adapter_model.safetensors")


def recover(store: RunStore, count: Count, expected: dict[str, np.ndarray]) -> None:
    """Mend and resume what a fault has left, and count what came of it."""
    for run in store.runs():
        if run.state.active or run.state.status == "damaged":
            count.wrong += 1
    mend(examine(store))
    started(store.root).wait()
    for run in store.runs():
        try:
            same = run.state.status == "completed" and all(
                np.abs(values - expected[name]).max() <= TOLERANCE for name, values in weights(run).items()
            )
        except (TokenUnlearnError, OSError, KeyError):
            same = False
        count.recovered += same
        count.lost += not same


def kills(count: Count, number: int, draw: random.Random, samples: str, alone: float) -> Iterator[RunStore]:
    """Stores in which the process was killed at a random moment of a run."""
    for _ in range(number):
        with tempfile.TemporaryDirectory() as folder:
            store = RunStore(folder)
            new_run(store, samples)
            process = started(store.root)
            time.sleep(draw.uniform(0.0, 1.1 * alone))
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            count.tried += 1
            yield store


def full_disks(count: Count, samples: str) -> Iterator[RunStore]:
    """Stores in which no file could grow from a phase on."""
    for phase in PHASES:
        with tempfile.TemporaryDirectory() as folder:
            store = RunStore(folder)
            new_run(store, samples)
            started(store.root, "full", phase).wait()
            count.tried += 1
            yield store


def explosions(count: Count, samples: str) -> None:
    """Runs whose learning rate destroys the model: they must fail, and keep weights that are finite."""
    for rate in (1e3, 1e30):
        with tempfile.TemporaryDirectory() as folder:
            store = RunStore(folder)
            run = new_run(store, samples, learning_rate=rate)
            started(store.root).wait()
            count.tried += 1
            count.wrong += run.state.status != "failed"
            finite = run.adapter is None or all(np.isfinite(values).all() for values in weights(run).values())
            count.lost += not finite
            count.recovered += finite


def damages(count: Count, whole: Path) -> None:
    """Each file of an ended run in turn holds garbage: it must be named, its neighbor be as before."""
    files = [
        path.relative_to(whole)
        for path in sorted(whole.rglob("*"))
        if path.is_file() and path.suffix != ".md"
    ]
    for file in files:
        with tempfile.TemporaryDirectory() as folder:
            store = RunStore(folder)
            for name in ("damaged", "sound"):
                shutil.copytree(whole, store.root / name)
            (store.root / "damaged" / file).write_bytes(GARBAGE)
            count.tried += 1
            try:
                states = {run.id: run.state.status for run in store.runs()}
                damaged, sound = Run(store.root / "damaged"), Run(store.root / "sound")
                said = states["damaged"] == "damaged" or damaged.damage or examine(store)
                count.wrong += not (said or file.parts[0] in ("lock", "label.txt"))
                sound_again = states["sound"] == "completed" and not sound.damage and sound.metrics
            except TokenUnlearnError:
                count.wrong += 1
                sound_again = False
            count.recovered += bool(sound_again)
            count.lost += not sound_again


def write_page(result: dict[str, Any]) -> None:
    """Renew the page of the docs."""
    rows = [[count.pop("fault"), *map(str, count.values())] for count in map(dict, result["faults"])]
    table = tables.markdown(["fault", "tried", "wrong", "lost", "recovered"], rows)
    PAGE.write_text(TEXT.format(table=table, seconds_alone=result["seconds_alone"]), encoding="utf-8")


def main(
    number: Annotated[int, typer.Option("--kills", help="Processes to kill.")] = 60,
    seed: Annotated[int, typer.Option(help="Seed of the moments.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    worker: Annotated[tuple[str, str, str], typer.Option("--work", hidden=True)] = ("", "", ""),
) -> None:
    """Make every fault, count, and write the result; or be the process that meets one."""
    if worker[0]:
        work(*worker)
        return
    draw = random.Random(seed)
    samples = FORGET
    with tempfile.TemporaryDirectory() as folder:
        store = RunStore(folder)
        run = new_run(store, samples)
        begun = time.monotonic()
        started(store.root).wait()
        alone = time.monotonic() - begun
        expected = weights(run)
        killed, full = Count("process killed (kill -9)"), Count("disk full in a phase")
        exploded, damaged = Count("loss or weights explode"), Count("a file of a run holds garbage")
        for left in kills(killed, number, draw, samples, alone):
            recover(left, killed, expected)
        for left in full_disks(full, samples):
            recover(left, full, expected)
        explosions(exploded, samples)
        damages(damaged, run.folder)
    result = {
        "seconds_alone": round(alone, 1),
        "phases": PHASES,
        "faults": [asdict(count) for count in (killed, full, exploded, damaged)],
        "versions": versions(),
        "git_revision": git_revision(),
    }
    (RESULTS / "faults.json").write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    write_page(result)
    if as_json:
        sys.stdout.write(json.dumps(result, indent=2) + "\n")
        return
    table = Table("fault", "tried", "wrong", "lost", "recovered")
    for count in (killed, full, exploded, damaged):
        table.add_row(count.fault, *(str(value) for value in list(asdict(count).values())[1:]))
    Console().print(table)


if __name__ == "__main__":
    typer.run(main)
