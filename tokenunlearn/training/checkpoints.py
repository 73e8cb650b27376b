"""Checkpoints of a training: written whole or not at all, and verified before one is resumed."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, ClassVar

from tokenunlearn.errors import FileError, TokenUnlearnError
from tokenunlearn.files import sync, write_json
from tokenunlearn.settings import Settings, setting
from tokenunlearn.stored import read_json

# The last file of a checkpoint: what the trainer carries beyond tensors, and the checksums of the others.
SEAL = "unlearning.json"
PREFIX = "checkpoint-"
SCRATCH = ".new-checkpoint"  # folder in which one is written


@dataclass(frozen=True)
class CheckpointSettings(Settings):
    """When checkpoints are written: once as many steps and minutes have passed since the last one."""

    prefix: ClassVar[str] = "checkpoint "

    every: int = setting(
        10,
        "Optimizer steps from one checkpoint to the next, at least; 0 writes none.",
        minimum=0,
        maximum=1_000_000,
    )
    minutes: float = setting(
        5.0, "Minutes from one checkpoint to the next, at least.", minimum=0, maximum=1_000_000
    )

    @classmethod
    def of(cls, described: Mapping[str, Any]) -> CheckpointSettings:
        """The settings behind a spec's description; what a newer version has added is left out."""
        return cls(**{f.name: described[f.name] for f in fields(cls) if f.name in described})


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint that is whole.

    Attributes:
        folder: Where it is.
        step: Optimizer steps behind it.
        values: What the trainer carries beyond tensors.
    """

    folder: Path
    step: int
    values: Mapping[str, Any]

    @classmethod
    def verified(cls, folder: Path) -> Checkpoint:
        """The checkpoint in a folder.

        Raises:
            TokenUnlearnError: If a file is missing, or another than the one that was written.
        """
        try:
            seal = read_json(folder / SEAL, dict[str, Any])
            whole = all(_checksum(folder / name) == sha for name, sha in seal["files"].items())
            if whole:
                return cls(folder, int(seal["step"]), seal["values"])
        except (FileError, OSError, KeyError, AttributeError, TypeError, ValueError):
            pass
        raise TokenUnlearnError(
            f'The checkpoint "{folder}" is incomplete or damaged; resume from an earlier one.'
        )


def newest(folder: Path) -> Checkpoint | None:
    """The newest checkpoint under a folder that is whole; None where there is none."""
    for path in sorted(folder.glob(f"{PREFIX}*"), key=_step, reverse=True):
        try:
            return Checkpoint.verified(path)
        except TokenUnlearnError:
            continue
    return None


def seal(folder: Path, step: int, values: Mapping[str, Any]) -> None:
    """Write the last file of a checkpoint, once all others are there and on the disk."""
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    for path in files:
        sync(path)
    checksums = {path.relative_to(folder).as_posix(): _checksum(path) for path in files}
    write_json(folder / SEAL, {"step": step, "values": values, "files": checksums})


def place(written: Path, folder: Path) -> None:
    """Put a sealed checkpoint where it belongs, in place of a damaged one of the same step."""
    shutil.rmtree(folder, ignore_errors=True)
    os.replace(written, folder)
    sync(folder.parent)


def _checksum(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _step(path: Path) -> int:
    number = path.name.removeprefix(PREFIX)
    return int(number) if number.isdecimal() else -1
