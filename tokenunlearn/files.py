"""Writing files and folders: whole or not at all, and one sentence where they cannot be written."""

from __future__ import annotations

import errno
import json
import os
import re
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

from filelock import FileLock
from safetensors import SafetensorError

from tokenunlearn.errors import TokenUnlearnError

# What names begin and end with until what they name is whole.
NEW, TEMPORARY = ".new-", ".tmp"
SYSTEM_FULL = re.compile(rf"os error {errno.ENOSPC}\b")


@contextmanager
def replaced(path: str | Path, *, synced: bool = True) -> Iterator[BinaryIO]:
    """A new file that takes the place of ``path`` when the block ends; a failed block changes nothing.

    Readers see the old content or the new one, never a part. Folders that are missing are made.

    Args:
        path: The file to write.
        synced: Wait until the content is on the disk; not worth its 10 ms where a file is written many times
            a second or can be made again.

    Raises:
        TokenUnlearnError: If the file cannot be written, or is a folder, a link, a device or a pipe.
    """
    path = Path(path)
    _check_plain(path)
    scratch = _beside(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with scratch.open("xb") as file:
            yield file
            file.flush()
            if synced:
                os.fsync(file.fileno())
        os.replace(scratch, path)
        if synced:
            sync(path.parent)
    except OSError as error:
        raise refusal(path, error) from error
    finally:
        with suppress(OSError):
            scratch.unlink()


def write_json(path: Path, value: Any, *, synced: bool = True) -> None:
    """Write JSON so that a reader sees the old file or the new one, never a part."""
    text = json.dumps(value, ensure_ascii=False, indent=2, allow_nan=False)
    with replaced(path, synced=synced) as file:
        file.write(f"{text}\n".encode())


def sync(path: Path) -> None:
    """Wait until a file's content, or the names in a folder, are on the disk."""
    with suppress(OSError):  # not every system lets a folder be opened
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def check_writable(path: Path) -> None:
    """Make a result's folder; refuse a place that cannot be written before hours of work are spent on it.

    Raises:
        TokenUnlearnError: If the file could not be written there, or is a folder, a link, a device or a pipe.
    """
    _check_plain(path)
    scratch = _beside(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        scratch.touch(exist_ok=False)
        scratch.unlink()
    except OSError as error:
        raise refusal(path, error) from error


def _check_plain(path: Path) -> None:
    """Refuse what a new file may not take the place of."""
    if os.path.islink(path):
        raise TokenUnlearnError(f'"{path}" is a link; give the path of the file itself.')
    if os.path.isdir(path):
        raise TokenUnlearnError(f'"{path}" is a folder; give the path of a file.')
    if os.path.exists(path) and not os.path.isfile(path):
        raise TokenUnlearnError(f'"{path}" is a device or a pipe; give the path of a file.')


def check_folder(folder: Path) -> None:
    """Refuse a place for results that cannot be written; nothing is made.

    Raises:
        TokenUnlearnError: If it is no folder, or no file can be made in it or where it would be.
    """
    place = next(place for place in (folder, *folder.absolute().parents) if os.path.lexists(place))
    if not os.path.isdir(place):
        raise TokenUnlearnError(f'"{place}" is not a folder; choose another path.')
    scratch = _beside(place / folder.name)
    try:
        scratch.touch(exist_ok=False)
        scratch.unlink()
    except OSError as error:
        raise refusal(folder, error) from error


def append_line(path: Path, line: str) -> None:
    """Add a line to a file, whole or not at all.

    Raises:
        TokenUnlearnError: If it cannot be written.
    """
    try:
        with path.open("ab") as file:
            end = file.tell()
            try:
                file.write(f"{line}\n".encode())
                file.flush()
            except OSError:
                file.truncate(end)
                raise
    except OSError as error:
        raise refusal(path, error) from error


@contextmanager
def new_folder(folder: Path, *, replaces: bool = False) -> Iterator[Path]:
    """A hidden folder beside ``folder`` that takes its place when the block ends; a failed block leaves none.

    What is in it is on the disk by then, so that a crash of the machine leaves no half of it under that name.

    A lock beside it, such as ``.new-1a2b.lock``, is held meanwhile, so that leftovers of processes that have
    ended can be recognized.

    Args:
        folder: A folder that is empty or not there.
        replaces: Take the place of a folder that holds something too.

    Raises:
        TokenUnlearnError: If it holds something, or cannot be written.
    """
    if not replaces and os.path.lexists(folder) and (not folder.is_dir() or any(folder.iterdir())):
        raise TokenUnlearnError(f'"{folder}" exists and is not an empty folder; choose another one.')
    scratch = free_name(folder)
    lock = FileLock(f"{scratch}.lock", thread_local=False)
    try:
        scratch.parent.mkdir(parents=True, exist_ok=True)
        with lock:
            try:
                scratch.mkdir()
                yield scratch
                for path in scratch.rglob("*"):
                    sync(path)
                if folder.exists():
                    shutil.rmtree(folder)
                scratch.rename(folder)
                sync(scratch.parent)
            finally:
                shutil.rmtree(scratch, ignore_errors=True)
                Path(lock.lock_file).unlink(missing_ok=True)
    except (OSError, SafetensorError) as error:
        raise refusal(folder, error) from error


def free_name(folder: Path) -> Path:
    """A hidden name beside a folder, which says that what bears it is not whole."""
    return folder.absolute().parent / f"{NEW}{secrets.token_hex(8)}"


def _beside(path: Path) -> Path:
    """A new name in the folder of a path."""
    return path.parent / f".{secrets.token_hex(8)}{TEMPORARY}"


def refusal(path: Path, error: OSError | SafetensorError) -> TokenUnlearnError:
    """The sentence for a file or folder that cannot be written."""
    reason = getattr(error, "strerror", None) or " ".join(str(error).split())
    if getattr(error, "errno", None) == errno.ENOSPC or SYSTEM_FULL.search(reason):
        free = size_text(free_bytes(path))
        return TokenUnlearnError(
            f'"{path}" cannot be written: No space left on device ({free} free); make room or choose another '
            "path."
        )
    return TokenUnlearnError(f'"{path}" cannot be written: {reason}; choose another path.')


def free_bytes(path: Path) -> int:
    """Free bytes where a file or folder is or would be; 0 where that cannot be asked."""
    place = next((place for place in (path, *path.absolute().parents) if os.path.isdir(place)), Path("/"))
    try:
        return shutil.disk_usage(place).free
    except OSError:
        return 0


def size_text(count: float) -> str:
    """A number of bytes in kB, MB or GB."""
    if count < 1e6:
        return f"{count / 1e3:,.0f} kB"
    return f"{count / 1e9:,.1f} GB" if count >= 1e9 else f"{count / 1e6:,.0f} MB"
