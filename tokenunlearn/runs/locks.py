"""Who is at work, by locks of the operating system, which end with the process that holds them."""

from __future__ import annotations

import os
import re
import threading
import time
from contextlib import suppress
from functools import partial
from pathlib import Path

from filelock import FileLock, Timeout, lock_descriptor, unlock_descriptor

from tokenunlearn.errors import FileError
from tokenunlearn.files import refusal
from tokenunlearn.stored import read_text

# Seconds that an owner waits for a lock; whoever looks at one holds it for microseconds.
PATIENCE = 2.0
LOCKS = ".locks"
# Variable of the environment that names this machine where several share a folder of runs.
MACHINE = "TOKENUNLEARN_MACHINE"

_owned: dict[Path, FileLock] = {}
_looking = threading.Lock()  # two threads that look at a lock would take each other for its owner
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_owned.clear)


def acquire(path: Path, timeout: float = PATIENCE, note: str = "") -> bool:
    """Own a lock until :func:`release` or the end of this process, on any of its threads.

    Args:
        path: The lock's file.
        timeout: Seconds to wait for another owner.
        note: What the file is to say meanwhile, for :func:`note_of`.

    Returns:
        Whether it is owned now; False if another owner has it.

    Raises:
        TokenUnlearnError: If the file cannot be written.
    """
    lock = FileLock(path, thread_local=False, on_acquired=partial(_write_note, note=note))
    try:
        lock.acquire(timeout=timeout)
    except Timeout:
        return False
    except OSError as error:
        raise refusal(path, error) from error
    _owned[path] = lock
    return True


def _write_note(descriptor: int, note: str) -> None:
    with suppress(OSError):
        os.ftruncate(descriptor, 0)
        os.write(descriptor, note.encode())


def note_of(path: Path) -> str:
    """What the owner of a lock wrote into its file; "" where that cannot be read."""
    try:
        return read_text(path)
    except FileError:
        return ""


def release(path: Path) -> None:
    """Give up a lock, if this process owns it, and remove its file."""
    lock = _owned.pop(path, None)
    if lock is not None:
        with suppress(OSError):  # a file in use cannot be removed on every system, or its folder is gone
            path.unlink()
        with suppress(OSError):
            lock.release()


def is_owned(path: Path) -> bool:
    """Whether this process owns a lock."""
    return path in _owned


def is_held(path: Path) -> bool:
    """Whether any process owns a lock; no file is made or changed.

    Raises:
        OSError: If the lock cannot be looked at.
    """
    if is_owned(path) or not _seems_held(path):
        return is_owned(path)
    time.sleep(0.001)  # another process may have been looking
    return _seems_held(path)


def _seems_held(path: Path) -> bool:
    try:
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    except FileNotFoundError:
        return False
    try:
        with _looking:
            free = lock_descriptor(descriptor, blocking=False)
            if free:
                unlock_descriptor(descriptor)
        return not free
    finally:
        os.close(descriptor)


def device_lock(root: Path, device: str) -> Path:
    """The lock of a device in a folder of runs, such as ``.locks/cuda-0.lock``.

    Args:
        root: Folder of the runs.
        device: As torch names it; a GPU counts by its number on the machine, not among those visible here,
            and with the name of the machine where ``TOKENUNLEARN_MACHINE`` gives it one.

    Raises:
        TokenUnlearnError: If the folder of the locks cannot be made.
    """
    kind, _, number = device.partition(":")
    if kind == "cuda":
        visible = os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",")
        index = int(number or 0)
        kind = f"cuda-{visible[index].strip() if index < len(visible) and visible[index] else index}"
    try:
        (root / LOCKS).mkdir(exist_ok=True)
    except OSError as error:
        raise refusal(root / LOCKS, error) from error
    machine = re.sub(r"\W", "-", os.environ.get(MACHINE, ""))
    return root / LOCKS / f"{machine}{'-' * bool(machine)}{kind}.lock"
