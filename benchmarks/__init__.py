"""Measurements of quality and speed; each module writes a JSON file under ``benchmarks/results``."""

import json
import os
from pathlib import Path
from typing import Any

from tokenunlearn.files import replaced

RESULTS = Path(__file__).parent / "results"
DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
if DATA.is_dir():
    os.environ.setdefault("TOKENUNLEARN_DATA", str(DATA))


def code_versions() -> dict[str, Any]:
    """Versions of the packages and commit of the code, as every result file names them."""
    from tokenunlearn.evaluation.report import git_revision, versions

    return {"versions": versions(), "git_revision": git_revision()}


def write_result(path: Path, result: Any) -> None:
    """Write a result file as JSON: a benchmark that is ended meanwhile leaves the file from before, whole."""
    with replaced(path) as file:
        file.write(f"{json.dumps(result, indent=2)}\n".encode())
