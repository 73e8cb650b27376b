"""The worker outlives whatever happens to a run: kills, full disks, damaged and removed folders."""

import errno
import os
import random
import shutil
from pathlib import Path

import pytest

from tests.runs.fake_runs import fake_execution
from tests.runs.new_runs import new_spec
from tests.waiting import wait_until
from tokenunlearn.runs import runner
from tokenunlearn.runs.store import RunStore
from tokenunlearn.runs.worker import Worker

MOMENTS = 30
STEPS = 12


def kill(error):
    def fault(run, full):
        raise error("killed")

    return fault


def fill(run, full):
    full.add(run.folder)


def write(name, content):
    return lambda run, full: (run.folder / name).write_bytes(content)


def folder_for(name):
    def fault(run, full):
        (run.folder / name).unlink()
        (run.folder / name).mkdir()

    return fault


FAULTS = {
    "out of memory": kill(MemoryError),
    "exit": kill(SystemExit),
    "interrupt": kill(KeyboardInterrupt),
    "deep": kill(RecursionError),
    "full disk": fill,
    "full disk while it fails": lambda run, full: (fill(run, full), kill(ValueError)(run, full)),
    "half a state": write("state.json", b'{"status": "run'),
    "state of another kind": write("state.json", b"\0\0"),
    "no spec": lambda run, full: (run.folder / "spec.json").unlink(),
    "state is a folder": folder_for("state.json"),
    "no folder": lambda run, full: shutil.rmtree(run.folder),
    "a file for a folder": lambda run, full: (shutil.rmtree(run.folder), run.folder.write_text("")),
}


@pytest.fixture
def full(monkeypatch):
    """Folders in which nothing can be written."""
    folders, opened = set(), Path.open

    def open_unless_full(path, mode="r", *args, **kwargs):
        if set(mode) & set("wxa") and folders.intersection(path.parents):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return opened(path, mode, *args, **kwargs)

    monkeypatch.setattr(Path, "open", open_unless_full)
    return folders


@pytest.fixture
def worker(monkeypatch):
    """A worker whose runs have no model; a fault strikes in the step that is given for a run."""
    strikes = {}

    def go(execution):
        return fake_execution(STEPS, fault=strikes.get(execution.run))(execution)

    monkeypatch.setattr(runner._Execution, "go", go)
    made = Worker()
    made.strikes = strikes
    return made


def suffer(worker, store, full, fault, moment):
    """Submit a run that meets a fault in a step and a sound one; their final states."""
    run, following = (store.create(new_spec("file:none")) for _ in range(2))
    worker.strikes[run] = lambda step: step == moment and FAULTS[fault](run, full)
    worker.submit(run)
    worker.submit(following)
    wait_until(lambda: not following.state.active)
    assert worker.ask(lambda: 7).result(timeout=60) == 7
    return run, worker.state(run), worker.state(following)


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_ends_its_run_and_nothing_else(worker, tmp_path, full, fault):
    store = RunStore(tmp_path / "runs")
    run, state, following = suffer(worker, store, full, fault, moment=5)
    assert following.status == "completed"
    harmless = fault in ("half a state", "state of another kind", "no spec")
    assert state.status == ("completed" if harmless else "failed")
    assert run not in worker.waiting() and not run.own
    assert run.folder.is_dir() == (fault not in ("no folder", "a file for a folder"))
    assert ("(see error.txt)" in state.message) == (run.folder / "error.txt").is_file()
    assert state.message.endswith((".", "killed", "(see error.txt)")) or harmless


def test_a_state_that_no_disk_took_is_held_until_the_run_starts_again(worker, tmp_path, full):
    store = RunStore(tmp_path / "runs")
    run, state, _ = suffer(worker, store, full, "full disk", moment=3)
    assert run.state.status == "interrupted"
    assert "No space left on device" in state.message and "could not be stored" in state.message
    assert worker.unstored() == {run: state}
    full.clear()
    del worker.strikes[run]
    (run.folder / "cancel").unlink(missing_ok=True)
    worker.submit(run)
    wait_until(lambda: run.state.status == "completed")
    assert worker.unstored() == {}


def test_a_waiting_run_is_cancelled_on_a_full_disk_too(worker, tmp_path, full):
    store = RunStore(tmp_path / "runs")
    first, second = (store.create(new_spec("file:none")) for _ in range(2))
    held = []
    worker.strikes[first] = lambda step: held or wait_until(lambda: held)
    worker.submit(first)
    worker.submit(second)
    full.add(second.folder)
    worker.cancel(second)
    held.append(True)
    wait_until(lambda: not first.state.active)
    assert (worker.state(first).status, worker.state(second).status) == ("completed", "cancelled")
    assert second.metrics == []


@pytest.mark.slow
def test_the_worker_outlives_faults_at_random_moments(worker, tmp_path, full):
    store, draw = RunStore(tmp_path / "runs"), random.Random(0)
    for _ in range(MOMENTS):
        fault, moment = draw.choice(list(FAULTS)), draw.randint(1, STEPS)
        _, state, following = suffer(worker, store, full, fault, moment)
        assert not state.active and following.status == "completed", (fault, moment)
    assert not list(store.root.glob(".locks/*.lock"))
