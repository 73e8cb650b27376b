"""What the pages share of runs and models: the stores, what may be done to a run, the models on offer."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress

from app import access, run_reader, tasks
from tokenunlearn.errors import RunError
from tokenunlearn.folders import ASSETS
from tokenunlearn.models.presets import available_presets
from tokenunlearn.runs.run import Run
from tokenunlearn.runs.spec import RunSpec
from tokenunlearn.runs.state import RunState
from tokenunlearn.runs.store import RunStore

RECENT = 100
FIRST = {"running": 0, "queued": 1}


def store() -> RunStore:
    """The runs: ``TOKENUNLEARN_RUNS`` or the folder ``runs``."""
    return RunStore(os.environ.get("TOKENUNLEARN_RUNS", "runs"))


def shipped_store() -> RunStore:
    """The runs that came with the repository; they can be read only."""
    return RunStore(ASSETS / "runs", read_only=True)


def find_run(run_id: str) -> Run | None:
    """The run of an id, one's own or a shipped one, or None."""
    runs = [*store().runs(), *shipped_store().runs()]
    return next((run for run in runs if run.id == run_id), None)


def shipped(run: Run) -> bool:
    """Whether a run came with the repository, so that nothing of it may be changed."""
    return run.folder.parent == shipped_store().root


def run_state(run: Run) -> RunState:
    """Where a run is, also if its folder could not be written when it ended."""
    return tasks.worker().state(run)


def kept_runs(model: str) -> dict[str, Run]:
    """The ended runs from a model whose weights are kept, the newest first, by id."""
    runs = {}
    for run in store().runs():
        with suppress(RunError):
            if run.spec.model == model and not run.state.active and run.result and run.adapter:
                runs[run.id] = run
    return runs


def cancel(run: Run) -> None:
    """End a waiting run, or have a running one stop after its step.

    Raises:
        RunError: If it has ended already.
    """
    access.require("cancel")
    tasks.stop(run)


def dismiss(run: Run) -> None:
    """Stop showing how a run ended that could not be stored."""
    access.require("delete")
    tasks.worker().forget(run)


def rename(run: Run, label: str) -> None:
    """Call a run something else."""
    access.require("rename")
    run.rename(label)


def discard(run: Run) -> None:
    """Remove a run and all it has kept; an active one as soon as it has stopped.

    Raises:
        RunError: If it is gone already, or another process runs it.
    """
    access.require("delete")
    if run.state.active:
        tasks.worker().discard(run)
    else:
        store().delete(run.id)


def resume(run: Run) -> None:
    """Queue a run that goes on where it ended.

    Raises:
        AccessError: If the visitor may not do this.
        TokenUnlearnError: If it cannot be resumed, or its folder cannot be written.
    """
    access.require("start")
    tasks.worker().submit(store().resume(run.id))


def model_names() -> list[str]:
    """Presets that can be loaded on this machine."""
    return available_presets()


def recent_runs() -> Iterator[tuple[Run, RunSpec]]:
    """The newest runs that are not damaged, with their specs: what runs, what waits, then the newest."""
    for run in sorted(store().runs()[:RECENT], key=lambda run: FIRST.get(run_state(run).status, len(FIRST))):
        with suppress(RunError):
            yield run, run_reader.run_spec(run)
