"""Names of the sets of the Hub that were loaded here, stored beside the uploads to be chosen again."""

from __future__ import annotations

from pathlib import Path

from tokenunlearn.errors import FileError
from tokenunlearn.files import write_json
from tokenunlearn.stored import read_json

FILE = Path("uploads", "hub", "sets.json")


def names(root: Path) -> list[str]:
    """The names under the folder of the runs; none where the file is not there or cannot be read."""
    try:
        stored: list[str] = read_json(root / FILE, list[str])
    except FileError:
        return []
    return stored


def add(root: Path, name: str) -> None:
    """Store a name.

    Raises:
        TokenUnlearnError: If the file cannot be written.
    """
    write_json(root / FILE, sorted({*names(root), name}))
