"""Writing files: whole or not at all, and one sentence where they cannot be written."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

from tokenunlearn.errors import TokenUnlearnError


@contextmanager
def replaced(path: str | Path, *, synced: bool = True) -> Iterator[BinaryIO]:
    """A new file that takes the place of ``path`` when the block ends; a failed block changes nothing.

    Readers see the old content or the new one, never a part. Folders that are missing are made.

    Args:
        path: The file to write.
        synced: Wait until the content is on the disk; not worth its 10 ms where a file is written many times
            a second or can be made again.

    Raises:
        TokenUnlearnError: If the file cannot be written.
    """
    path = Path(path)
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
        raise _refusal(path, error) from error
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
        TokenUnlearnError: If the file could not be written there.
    """
    scratch = _beside(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        scratch.touch(exist_ok=False)
        scratch.unlink()
    except OSError as error:
        raise _refusal(path, error) from error
    if path.is_dir():
        raise TokenUnlearnError(f'"{path}" is a folder; give the path of a file.')


def _beside(path: Path) -> Path:
    """A new name in the folder of a path."""
    return path.parent / f".{secrets.token_hex(8)}.tmp"


def _refusal(path: Path, error: OSError) -> TokenUnlearnError:
    return TokenUnlearnError(f'"{path}" cannot be written: {error.strerror or error}; choose another path.')
