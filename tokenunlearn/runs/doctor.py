"""Mending a folder of runs after killed processes and full disks, and keeping its size within bounds."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from tokenunlearn.errors import FileError, ModelNotFoundError, RunError, TokenUnlearnError
from tokenunlearn.files import NEW, TEMPORARY, free_name, refusal
from tokenunlearn.models.weight_files import ADAPTER_WEIGHTS, read_config, tensor_shapes, weight_files
from tokenunlearn.runs.locks import LOCKS, acquire, is_held, release
from tokenunlearn.runs.run import Run
from tokenunlearn.runs.store import RunStore
from tokenunlearn.stored import read_json

# Seconds after which a temporary file is no longer being written.
WRITING = 60
# What older versions called an export that is being written.
OLD_NEW = ".export-"
# Folders of a run that hold weights.
WEIGHTS = ("adapter", "checkpoints")


@dataclass(frozen=True)
class Fault:
    """Something in a folder of runs that is not as it should be.

    Attributes:
        path: Where it is.
        reason: What is wrong, as a sentence.
        remedy: "remove", "mark" (a run as interrupted), or "" where only a person can decide.
        mend: Does that.
    """

    path: Path
    reason: str
    remedy: str = ""
    mend: Callable[[], object] | None = field(default=None, compare=False)


def examine(store: RunStore) -> list[Fault]:
    """Everything that is wrong in a folder of runs; nothing is changed.

    Raises:
        RunError: If the folder cannot be read.
    """
    runs = store.runs()
    return [
        *_leftovers(store.root),
        *(fault for run in runs for fault in _faults(run)),
        *_stale_locks([run.lock for run in runs] + sorted((store.root / LOCKS).glob("*.lock"))),
    ]


def mend(faults: list[Fault]) -> list[Fault]:
    """Mend what can be mended, and return the faults that remain."""
    remaining = []
    for fault in faults:
        try:
            fault.mend() if fault.mend else remaining.append(fault)
        except OSError as error:
            remaining.append(Fault(fault.path, str(refusal(fault.path, error))))
        except TokenUnlearnError as error:
            remaining.append(Fault(fault.path, str(error)))
    return remaining


def _leftovers(root: Path) -> Iterator[Fault]:
    """What processes that have ended were writing."""
    for folder in (root, *_entries(root)):
        for path in _entries(folder) if folder.name[0] != "." else ():
            if path.name.startswith((NEW, OLD_NEW)):
                lock = path if path.suffix == ".lock" else path.with_name(f"{path.name}.lock")
                left = not _seems_held(lock)
            else:
                left = path.name[0] == "." and path.suffix == TEMPORARY and _is_settled(path)
            if left:
                reason = "The process that was writing it has ended."
                yield Fault(path, reason, "remove", lambda path=path: _remove(path))  # type: ignore[misc]


def _faults(run: Run) -> Iterator[Fault]:
    """What is wrong with a run."""
    state = run.state
    if state.status == "damaged":
        try:
            _ = run.spec
        except RunError:
            yield Fault(run.folder, state.message)
        else:
            yield Fault(run.folder, state.message, "mark", run.settle)
        return
    if state.active:
        return
    try:
        _ = run.start
    except RunError as error:
        yield Fault(run.folder, str(error))
    for sentence in run.damage:
        yield Fault(run.folder, sentence)
    if run.adapter and (reason := _weights_fault(run.adapter)):
        weights = run.adapter
        if state.status in ("completed", "stopped"):
            yield Fault(weights, reason)
        else:
            yield Fault(weights, reason, "remove", lambda: remove_weights(run, [weights.name]))
    if state.status == "interrupted" and not state.ended:
        yield Fault(run.folder, state.message, "mark", run.settle)


def _weights_fault(folder: Path) -> str:
    """Why the weights of a run cannot be loaded, from the headers of its files; "" if nothing is wrong."""
    try:
        if (folder / "adapter_config.json").exists():
            read_json(folder / "adapter_config.json", dict[str, Any])
            files = [folder / ADAPTER_WEIGHTS]
        else:
            read_config(folder)
            files = weight_files(folder)
        for file in files:
            tensor_shapes(file)
    except (FileError, ModelNotFoundError) as error:
        return str(error)
    return ""


def _stale_locks(locks: list[Path]) -> Iterator[Fault]:
    """Locks whose owners were killed."""
    for lock in locks:
        if os.path.isfile(lock) and not _seems_held(lock):
            yield Fault(lock, "No process holds this lock.", "remove", lambda lock=lock: _free(lock))  # type: ignore[misc]


def _seems_held(lock: Path) -> bool:
    """Whether a lock is held, or cannot be looked at."""
    try:
        return is_held(lock)
    except OSError:
        return True


def _free(lock: Path) -> None:
    if os.path.exists(lock) and acquire(lock, timeout=0):
        release(lock)


def _entries(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError:
        return []


def _is_settled(path: Path) -> bool:
    """Whether nobody writes a temporary file any more: it is old, or the process of its run has ended."""
    try:
        old = time.time() - path.lstat().st_mtime > WRITING
    except OSError:
        return False
    return old or Run(path.parent).state.status == "interrupted"


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


@dataclass(frozen=True)
class Removal:
    """Weights that were, or would be, removed.

    Attributes:
        run: Id of the run, which keeps everything else.
        bytes: Their size.
        ended: When the run ended, UTC, ISO 8601.
    """

    run: str
    bytes: int
    ended: str


def collect(
    store: RunStore,
    *,
    keep_bytes: float | None = None,
    older_than: timedelta | None = None,
    dry_run: bool = False,
) -> list[Removal]:
    """Remove weights of ended runs, the oldest first; what they measured stays.

    Weights that another run of the store goes on from always stay.

    Args:
        store: The runs.
        keep_bytes: Remove until the folder of the runs takes at most so much, as far as it can be.
        older_than: Remove the weights of all runs that ended longer ago.
        dry_run: Remove nothing.

    Returns:
        What was removed, or would be.

    Raises:
        TokenUnlearnError: If weights cannot be removed, or the folder cannot be read.
    """
    excess = size(store.root) - keep_bytes if keep_bytes is not None else 0
    latest = (datetime.now(UTC) - older_than).isoformat() if older_than is not None else ""
    removals = []
    for ended, run in sorted(_removable(store), key=lambda pair: pair[0]):
        if excess <= 0 and ended >= latest:
            break
        weights = sum(size(run.folder / name) for name in WEIGHTS)
        if not dry_run:
            remove_weights(run)
        removals.append(Removal(run.id, weights, ended))
        excess -= weights
    return removals


def _removable(store: RunStore) -> Iterator[tuple[str, Run]]:
    """Runs whose weights nobody needs to go on, with the time they ended."""
    runs = store.runs()
    parents = set()
    for run in runs:
        with suppress(RunError):
            parents.add(run.spec.adapter)
    for run in runs:
        state = run.state
        stored = any(os.path.isdir(run.folder / name) for name in WEIGHTS)
        if stored and not state.active and state.status != "damaged" and run.id not in parents:
            yield state.ended or run.spec.created, run


def remove_weights(run: Run, names: Sequence[str] = WEIGHTS) -> None:
    """Remove the weights of a run that has ended.

    Args:
        run: The run.
        names: Its folders of weights to remove.

    Raises:
        TokenUnlearnError: If another process carries it out, or they cannot be removed.
    """
    run.take()
    try:
        for name in names:
            if os.path.isdir(run.folder / name):
                hidden = free_name(run.folder / name)
                (run.folder / name).rename(hidden)  # so that no half of them is ever taken for the whole
                shutil.rmtree(hidden)
    except OSError as error:
        raise RunError(f'The weights of "{run.id}" cannot be removed: {error.strerror or error}.') from None
    finally:
        release(run.lock)


def size(folder: Path) -> int:
    """Bytes of all files below a folder; links are not followed."""
    total = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            with suppress(OSError):
                total += os.lstat(os.path.join(parent, name)).st_size
    return total
