"""A lock tells the truth about its owner, whatever became of it; a device trains one run at a time."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import pytest
from filelock import FileLock

from tests.runs.fake_runs import fake_execution
from tests.runs.new_runs import new_spec
from tests.waiting import wait_until
from tokenunlearn.errors import RunError, TokenUnlearnError
from tokenunlearn.files import write_json
from tokenunlearn.runs import locks, runner
from tokenunlearn.runs.worker import Worker

ROOT = Path(__file__).resolve().parents[2]


@contextmanager
def other_process(store, does):
    """A process with a run of its own, and that run."""
    words = [sys.executable, "-m", "tests.workers.own_run", str(store.root), does]
    process = subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        yield process, store.get(process.stdout.readline().strip())
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("does", ["queued", "running"])
@pytest.mark.slow
def test_a_killed_process_leaves_its_run_interrupted(store, does):
    with other_process(store, does) as (process, run):
        wait_until(lambda: run.state.status == does)
        assert all(run.state.active for _ in range(100))
        with pytest.raises(RunError, match="cancel it first"):
            store.delete(run.id)
        with pytest.raises(RunError, match="belongs to another process"):
            run.take()
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert run.state.status == "interrupted"
    assert run.state.message.startswith({"queued": "The server", "running": "The process"}[does])
    assert json.loads((run.folder / "state.json").read_text())["status"] == does
    store.delete(run.id)
    assert store.runs() == []


def test_a_process_with_the_same_number_owns_nothing(store):
    run = store.create(new_spec("file:none"))
    state = json.loads((run.folder / "state.json").read_text())
    locks.release(run.lock)
    write_json(run.folder / "state.json", state | {"status": "running", "pid": os.getpid()})
    assert run.state.status == "interrupted"


@pytest.mark.slow
def test_a_device_trains_one_run_at_a_time_over_all_processes(store, monkeypatch):
    monkeypatch.setattr(runner._Execution, "go", fake_execution())
    monkeypatch.setattr(runner, "default_device", lambda: "cpu")
    worker = Worker()
    with other_process(store, "running") as (process, first):
        wait_until(lambda: first.metrics)
        second, third = (store.create(new_spec("file:none")) for _ in range(2))
        worker.submit(second)
        worker.submit(third)
        wait_until(lambda: second.state.phase == "waiting")
        wait = f"Waiting for the run {first.id}, which uses cpu."
        assert (second.state.status, second.state.message) == ("queued", wait)
        assert second.state.started == ""
        assert worker.ask(lambda: 7).result(timeout=60) == 7
        worker.cancel(second)
        wait_until(lambda: not second.state.active)
        assert (second.state.status, second.metrics) == ("cancelled", [])
        wait_until(lambda: third.state.phase == "waiting")
        process.send_signal(signal.SIGKILL)
    wait_until(lambda: not third.state.active)
    assert (third.state.status, third.state.message) == ("completed", "")
    assert first.state.status == "interrupted"


def test_runs_of_one_process_wait_for_each_other_too(store, monkeypatch):
    together = []

    def count(step):
        together.append(sum(run.state.phase == "training" for run in runs))

    monkeypatch.setattr(runner._Execution, "go", fake_execution(fault=count))
    runs = [store.create(new_spec("file:none")) for _ in range(3)]
    threads = [threading.Thread(target=runner.execute, args=(run,)) for run in runs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert {run.state.status for run in runs} == {"completed"}
    assert set(together) == {1}


def test_readers_never_make_an_owner_fail(tmp_path):
    lock, ends = tmp_path / "lock", threading.Event()
    lock.touch()

    def look():
        while not ends.is_set():
            locks.is_held(lock)

    readers = [threading.Thread(target=look) for _ in range(4)]
    for reader in readers:
        reader.start()
    try:
        for _ in range(50):
            assert locks.acquire(lock)
            lock.touch()
            locks.release(lock)
    finally:
        ends.set()
        for reader in readers:
            reader.join()


def test_readers_do_not_take_each_other_for_an_owner(tmp_path):
    lock, seen = tmp_path / "lock", []
    lock.touch()

    def look():
        seen.extend(locks.is_held(lock) for _ in range(300))

    readers = [threading.Thread(target=look) for _ in range(4)]
    for reader in readers:
        reader.start()
    for reader in readers:
        reader.join()
    assert set(seen) == {False}


def test_looking_at_a_lock_makes_no_file(tmp_path):
    assert not locks.is_held(tmp_path / "lock")
    assert not locks.is_held(tmp_path / "nowhere" / "lock")
    assert list(tmp_path.iterdir()) == []


def test_a_released_lock_leaves_no_file_and_can_be_owned_again(tmp_path):
    lock = tmp_path / "lock"
    for _ in range(2):
        assert locks.acquire(lock, note="a run")
        assert (locks.is_held(lock), locks.note_of(lock)) == (True, "a run")
        assert not locks.acquire(lock, timeout=0)
        locks.release(lock)
        assert not lock.exists() and not locks.is_owned(lock)


def test_a_store_that_cannot_be_written_is_read(store):
    """The lock of another process is seen through a folder in which nothing can be made."""
    run = store.create(new_spec("file:none"))
    locks.release(run.lock)
    with FileLock(run.lock):
        run.lock.chmod(0o400)
        run.folder.chmod(0o500)
        try:
            assert run.state.status == "queued"
        finally:
            run.folder.chmod(0o700)
    assert run.state.status == "interrupted"


def test_a_lock_that_cannot_be_read_is_said_to_be_so(store, monkeypatch):
    run = store.create(new_spec("file:none"))
    locks.release(run.lock)

    def refuse(path):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("tokenunlearn.runs.run.is_held", refuse)
    sentence = "Whether a process still carries out this run is unknown; its lock cannot be read: Permission"
    assert run.state.status == "queued" and run.state.message.startswith(sentence)


def test_a_lock_that_cannot_be_made_is_one_sentence(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(TokenUnlearnError, match="cannot be written"):
        locks.acquire(tmp_path / "file" / "lock")
    with pytest.raises(TokenUnlearnError, match="cannot be written"):
        locks.device_lock(tmp_path / "file", "cpu")


@pytest.mark.parametrize(
    ("device", "visible", "name"),
    [
        ("cpu", "", "cpu.lock"),
        ("mps", "", "mps.lock"),
        ("cuda", "", "cuda-0.lock"),
        ("cuda:1", "", "cuda-1.lock"),
        ("cuda", "3", "cuda-3.lock"),
        ("cuda:1", "4,5", "cuda-5.lock"),
    ],
)
def test_a_device_has_one_name_for_all_processes(tmp_path, monkeypatch, device, visible, name):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert locks.device_lock(tmp_path, device) == tmp_path / ".locks" / name


def test_the_owner_may_end_the_run_while_a_reader_looks(store, monkeypatch):
    run = store.create(new_spec("file:none"))

    def ends(path):
        run.set_state(status="completed")
        return False

    monkeypatch.setattr("tokenunlearn.runs.run.is_held", ends)
    assert run.state.status == "completed"


def test_a_forked_child_owns_nothing_and_does_not_outlive_the_lock(store):
    run = store.create(new_spec("file:none"))
    child = os.fork()
    if child == 0:
        os._exit(0 if not run.own and run.state.status == "queued" else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    child = os.fork()
    if child == 0:
        time.sleep(30)
        os._exit(0)
    try:
        locks.release(run.lock)
        assert run.state.status == "interrupted"
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
