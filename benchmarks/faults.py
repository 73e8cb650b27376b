"""Faults against runs: killed processes, full disks, exploding losses, damaged files, clocks that jump.

    python -m benchmarks.faults [--kills 60] [--seed 0] [--json]

Each fault meets a short run on the demo model in a process of its own. Afterwards the store is mended with
``runs doctor``, and what was interrupted is resumed. For each kind of fault, four numbers:

tried      faults that were made
wrong      runs whose status afterwards was not the truth, or readers that failed
lost       runs that could not be read any more, or did not end with the weights of an undisturbed run
recovered  runs that went on to their end with the same weights, to 1e-6

What the processes do is in :mod:`benchmarks.fault_processes`; faults that need the rights of root or
libfaketime are left out without them. Writes ``benchmarks/results/faults.json`` and
``docs/reliability.md``.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from rich.console import Console
from rich.table import Table
from safetensors.numpy import load_file

from benchmarks import RESULTS, code_versions, reliability, write_result
from benchmarks.fault_processes import FAKETIME, OWN_MOUNTS, OWNERS, SAME_PID, kill, started
from tokenunlearn.errors import TokenUnlearnError
from tokenunlearn.folders import ASSETS
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


@dataclass
class Count:
    """What came of one kind of fault."""

    fault: str
    tried: int = 0
    wrong: int = 0
    lost: int = 0
    recovered: int = 0


@dataclass(frozen=True)
class Weights:
    """What a run ends with that nothing disturbs, and its seconds."""

    values: dict[str, np.ndarray]
    seconds: float


def new_run(store: RunStore, model: str = "demo", **config: Any) -> Run:
    """A queued run of a few steps that leaves a checkpoint every fourth."""
    spec = RunSpec.new(
        model=model,
        samples=FORGET,
        retain=RETAIN,
        rule={"selection": "hard", "threshold": 0.8},
        config=CONFIG | config,
        checkpoints={"every": 4, "minutes": 0.0},
    )
    run = store.create(spec)
    release(run.lock)  # another process is to carry it out
    return run


@contextmanager
def new_store() -> Iterator[RunStore]:
    """A store in a folder of its own, which is deleted afterwards."""
    with tempfile.TemporaryDirectory() as folder:
        yield RunStore(Path(folder) / "runs")


def weights(run: Run) -> dict[str, np.ndarray]:
    """The weights that a run has stored."""
    return load_file(run.folder / "adapter" / "adapter_model.safetensors")


def recover(
    store: RunStore, count: Count, expected: dict[str, np.ndarray], inside: tuple[str, ...] = ()
) -> None:
    """Mend and resume what a fault has left, and count what came of it."""
    count.tried += 1
    for run in store.runs():
        if run.state.active or run.state.status == "damaged":
            count.wrong += 1
    mend(examine(store))
    started(store.root, inside=inside).wait()
    for run in store.runs():
        try:
            same = run.state.status == "completed" and all(
                np.abs(values - expected[name]).max() <= TOLERANCE for name, values in weights(run).items()
            )
        except (TokenUnlearnError, OSError, KeyError):
            same = False
        count.recovered += same
        count.lost += not same


def killed(
    fault: str, number: int, owner: str, draw: random.Random, expected: Weights, inside: tuple[str, ...] = ()
) -> Count:
    """Kill processes at random moments of their runs."""
    count = Count(fault)
    for _ in range(number):
        with new_store() as store:
            new_run(store)
            process = started(store.root, owner, inside=inside)
            time.sleep(draw.uniform(0.0, 1.1 * expected.seconds))
            kill(process)
            recover(store, count, expected.values, inside)
    return count


def failing(fault: str, name: str, expected: Weights, inside: tuple[str, ...] = ()) -> Count:
    """Have something fail from the start of each phase on."""
    count = Count(fault)
    for phase in PHASES:
        with new_store() as store:
            new_run(store)
            started(store.root, fault=name, phase=phase, inside=inside).wait()
            recover(store, count, expected.values)
    return count


def model_gone(expected: Weights) -> Count:
    """Take a model away while a run waits: it has to fail, and to go on when the model is back."""
    count = Count("model folder gone")
    with new_store() as store:
        model = store.root.parent / "model"
        shutil.copytree(ASSETS / "models" / "demo", model)
        run = new_run(store, str(model))
        model.rename(model.with_name("gone"))
        started(store.root).wait()
        count.wrong += run.state.status != "failed" or str(model) not in run.state.message
        model.with_name("gone").rename(model)
        recover(store, count, expected.values)
    return count


def explosions() -> Count:
    """Runs whose learning rate destroys the model: they must fail, and keep weights that are finite."""
    count = Count("loss or weights explode")
    for rate in (1e3, 1e30):
        with new_store() as store:
            run = new_run(store, learning_rate=rate)
            started(store.root).wait()
            count.tried += 1
            count.wrong += run.state.status != "failed"
            finite = run.adapter is None or all(np.isfinite(values).all() for values in weights(run).values())
            count.lost += not finite
            count.recovered += finite
    return count


def damages(whole: Path) -> Count:
    """Each file of an ended run in turn holds garbage: it must be named, its neighbor be as before."""
    count = Count("a file of a run holds garbage")
    files = [
        path.relative_to(whole)
        for path in sorted(whole.rglob("*"))
        if path.is_file() and path.suffix != ".md"
    ]
    for file in files:
        with new_store() as store:
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
    return count


def faults(number: int, draw: random.Random) -> tuple[list[Count], float]:
    """Make every fault; what came of each, and the seconds of a run that nothing disturbs."""
    root = not os.geteuid()
    with new_store() as store:
        run = new_run(store)
        begun = time.monotonic()
        started(store.root).wait()
        expected = Weights(weights(run), time.monotonic() - begun)
        counts = [damages(run.folder)]
    names = {"command": "command line", "server": "server", "detached": "process of its own"}
    for k, owner in enumerate(OWNERS):
        share = (number + k) // len(OWNERS)
        counts.append(killed(f"{names[owner]} killed (kill -9)", share, owner, draw, expected))
    counts.append(failing("disk full in a phase", "full", expected))
    counts.append(failing("out of memory in a phase", "memory", expected))
    if root:
        counts.append(failing("store read-only in a phase", "readonly", expected, OWN_MOUNTS))
        counts.append(
            killed("container restarted, same process number", 3, "command", draw, expected, SAME_PID)
        )
    if FAKETIME:
        counts.append(failing("clock jumps in a phase", "clock", expected))
    counts += [explosions(), model_gone(expected)]
    return counts, expected.seconds


def main(
    number: Annotated[int, typer.Option("--kills", help="Processes to kill.")] = 60,
    seed: Annotated[int, typer.Option(help="Seed of the moments.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Make every fault, count, and write the result."""
    counts, alone = faults(number, random.Random(seed))
    result = {
        "seconds_alone": round(alone, 1),
        "phases": PHASES,
        "faults": [asdict(count) for count in counts],
        **code_versions(),
    }
    write_result(RESULTS / "faults.json", result)
    reliability.write_page()
    if as_json:
        sys.stdout.write(json.dumps(result, indent=2) + "\n")
        return
    table = Table("fault", "tried", "wrong", "lost", "recovered")
    for count in counts:
        table.add_row(count.fault, *(str(value) for value in list(asdict(count).values())[1:]))
    Console().print(table)


if __name__ == "__main__":
    typer.run(main)
