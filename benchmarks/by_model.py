"""Results that are measured one model at a time, each stored as soon as it is there."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from rich.console import Console

from benchmarks import tables, write_result
from tokenunlearn.evaluation.report import git_revision, versions


def measure_models(
    path: Path, names: Iterable[str], order: Iterable[str], measured: Callable[[str], dict[str, Any]]
) -> None:
    """Measure some models again, write the result file after each, and at the end the docs.

    Args:
        path: The result file; what it holds of other models stays.
        names: Models to measure.
        order: All models that the file may hold, in order.
        measured: Measures one by its name.
    """
    stored = json.loads(path.read_text(encoding="utf-8"))["models"] if path.exists() else {}
    for name in names:
        stored[name] = measured(name)
        known = {model: stored[model] for model in order if model in stored}
        result = {"models": known, "versions": versions(), "git_revision": git_revision()}
        write_result(path, result)
        Console().print(name, stored[name])
    tables.write()
