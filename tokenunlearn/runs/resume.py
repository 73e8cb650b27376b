"""Going on with a run where it ended."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from typing import Any

from tokenunlearn.errors import RunError
from tokenunlearn.files import replaced
from tokenunlearn.runs.locks import acquire
from tokenunlearn.runs.run import Run
from tokenunlearn.runs.run_files import MEASURED_FILES


def resumable(run: Run) -> bool:
    """Whether a run can go on where it ended.

    A run that was interrupted can, and one that was stopped or failed if it has a checkpoint or had not
    come to one; one whose model collapsed has none left.
    """
    status = run.state.status
    begun = run.has_checkpoint or (status == "failed" and run.adapter is None)
    return status == "interrupted" or (status in ("stopped", "failed") and begun)


def requeue(run: Run) -> None:
    """Have this process go on with a run that can be resumed; it waits as queued.

    Raises:
        RunError: If it cannot be resumed, or someone else has resumed it meanwhile.
        TokenUnlearnError: If its folder cannot be written.
    """
    state = run.state
    if not resumable(run):
        raise RunError(
            f'The run "{run.id}" is {state.status}; only interrupted, stopped and failed runs with '
            "something left to do can be resumed."
        )
    if not acquire(run.lock):  # not take(), by which two threads of this process could both have it
        raise RunError(f'The run "{run.id}" has been resumed already.')
    for name in ("cancel", "error.txt"):
        (run.folder / name).unlink(missing_ok=True)
    run.set_state(status="queued", phase="", done=0, total=0, message="")


def rewind(run: Run, step: int, *, whole: bool) -> None:
    """Keep only what belongs to the first steps, before training goes on from there.

    Args:
        run: The run.
        step: Optimizer steps behind the weights; 0 for a new beginning.
        whole: Whether no step is left, so that what was measured afterwards holds.
    """
    stored: dict[str, Sequence[Mapping[str, Any]]] = {
        "metrics.jsonl": run.metrics,
        "watched.jsonl": run.watched,
        "predictions.jsonl": run.predictions,
    }
    for name, records in stored.items():
        if (run.folder / name).exists():
            lines = [json.dumps(r, ensure_ascii=False) for r in records if step and r["step"] <= step]
            with replaced(run.folder / name) as file:
                file.write("".join(f"{line}\n" for line in lines).encode())
    if not whole:
        for name in MEASURED_FILES:
            (run.folder / name).unlink(missing_ok=True)
        shutil.rmtree(run.folder / "adapter", ignore_errors=True)
