"""Measurements of quality and speed; each module writes a JSON file under ``benchmarks/results``."""

import atexit
import json
import os
from pathlib import Path
from typing import Any

from tokenunlearn.errors import TokenUnlearnError
from tokenunlearn.files import replaced
from tokenunlearn.runs.locks import acquire, release

_held: set[Path] = set()
RESULTS = Path(__file__).parent / "results"
DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
if DATA.is_dir():
    os.environ.setdefault("TOKENUNLEARN_DATA", str(DATA))


def code_versions() -> dict[str, Any]:
    """Versions of the packages and commit of the code, as every result file names them."""
    from tokenunlearn.evaluation.report import git_revision, versions

    return {"versions": versions(), "git_revision": git_revision()}


def stored_result(path: Path) -> Any:
    """What a result file holds so far, None without one; no other process works on it until this one ends.

    Raises:
        TokenUnlearnError: If one does, since each would drop the other's rows.
    """
    lock = path.with_suffix(".lock")
    if lock not in _held:
        path.parent.mkdir(parents=True, exist_ok=True)
        if not acquire(lock, timeout=0):
            raise TokenUnlearnError(f'Another process works on "{path}"; wait until it has ended.')
        _held.add(lock)
        atexit.register(release, lock)
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else None


def write_result(path: Path, result: Any) -> None:
    """Write a result file as JSON: a benchmark that is ended meanwhile leaves the file from before, whole."""
    with replaced(path) as file:
        file.write(f"{json.dumps(result, indent=2)}\n".encode())
