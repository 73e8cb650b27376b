"""Runs in a process of their own: handed over, found again, stopped by force, failed if it cannot start."""

import json
import os
import signal
import time
from dataclasses import asdict, replace

import psutil
import pytest

from tests.runs.new_runs import new_spec
from tests.waiting import wait_until
from tokenunlearn.errors import RunError
from tokenunlearn.files import write_json
from tokenunlearn.models.source import ModelSource
from tokenunlearn.runs import launch as launches
from tokenunlearn.runs.launch import LOG, PROCESS, RunProcess, carry_out, launch, log_of, stop
from tokenunlearn.runs.resume import resumable
from tokenunlearn.runs.store import RunStore


def statuses(store):
    return [run.state.status for run in reversed(store.runs())]


@pytest.fixture
def owned_process(store, samples):
    """An active run of this process, with this process beside it."""
    run = store.create(new_spec(samples))
    write_json(run.folder / PROCESS, asdict(RunProcess.present()))
    return run


def test_a_process_that_does_not_start_fails_its_runs_and_its_output_says_why(store, samples, monkeypatch):
    runs = [store.create(new_spec(samples)) for _ in range(2)]
    monkeypatch.setattr(launches.sys, "executable", "/bin/false")
    with pytest.raises(RunError, match=f"did not start; log.txt of the run {runs[0].id} says why"):
        launch(runs)
    assert statuses(store) == ["failed", "failed"]
    assert not any(run.own for run in runs)


def test_no_process_but_that_of_the_run_is_ended(owned_process, monkeypatch):
    present = RunProcess.present()
    strangers = {
        "of another machine": replace(present, host="elsewhere"),
        "of the same number, later": replace(present, started=present.started - 60),
        "gone": replace(present, pid=2**22 + 1),
        "no process": replace(present, pid=-5),
        "no number of a process": replace(present, pid=2**80),
    }
    monkeypatch.setattr(launches, "_wait", lambda run, seconds: None)
    monkeypatch.setattr(psutil.Process, "terminate", lambda self: pytest.fail("ended a stranger"))
    for process in strangers.values():
        write_json(owned_process.folder / PROCESS, asdict(process))
        assert process.alive() is None
        assert stop(owned_process).active
    (owned_process.folder / PROCESS).write_text('{"host": 5}')
    assert stop(owned_process).active
    assert present.alive() == psutil.Process()


def test_a_run_that_waits_is_not_stopped_by_ending_the_process_that_runs_another(owned_process, monkeypatch):
    monkeypatch.setattr(launches, "_wait", lambda run, seconds: None)
    for end in ("terminate", "kill"):
        monkeypatch.setattr(psutil.Process, end, lambda self: pytest.fail("ended the process of another run"))
    assert stop(owned_process).status == "queued"
    assert owned_process.cancel_requested


def test_a_waiting_run_that_is_cancelled_ends_between_two_steps_of_the_one_before(
    store, samples, tiny_lm, monkeypatch, short_answers
):
    first, second, third = (store.create(new_spec(samples)) for _ in range(3))
    waiting, seen = [second, third], []

    def between():
        if first.metrics and not seen:
            second.request_cancel()
        seen.extend([second.state.status] if first.metrics else [])

    monkeypatch.setattr(ModelSource, "load", lambda source: tiny_lm)
    assert carry_out(first, waiting, between).status == "completed"
    assert (second.state.status, waiting) == ("cancelled", [third])
    assert seen[:2] == ["queued", "cancelled"]


def test_a_run_that_does_not_stop_is_ended_more_and_more_firmly(owned_process, monkeypatch):
    owned_process.set_state(status="running")
    signals = []
    monkeypatch.setattr(launches, "_wait", lambda run, seconds: signals.append(seconds))
    monkeypatch.setattr(psutil.Process, "terminate", lambda self: signals.append("terminate"))
    monkeypatch.setattr(psutil.Process, "kill", lambda self: signals.append("kill"))
    stop(owned_process, grace=7)
    assert signals == [7, "terminate", 7, "kill", launches.GRACE]
    assert owned_process.cancel_requested


def test_only_the_end_of_a_long_log_is_read(store, samples):
    run = store.create(new_spec(samples))
    assert log_of(run) == ""
    (run.folder / LOG).write_bytes(b"\xff first\n" + b"line\n" * 100_000 + b"last \xe2\x82")
    assert log_of(run, lines=2) == "line\nlast \ufffd"


def test_a_queued_run_is_not_interrupted_while_it_changes_hands(store, samples, monkeypatch):
    run = store.create(new_spec(samples))
    launches.release(run.lock)
    slept = []

    def take(seconds):
        slept.append(seconds)
        run.take()

    with monkeypatch.context() as patch:
        patch.setattr(time, "sleep", take)
        assert run.state.status == "queued"
        assert slept and slept[0] > 0.05
        launches.release(run.lock)
        slept.clear()
        old = time.time() - 60
        os.utime(run.folder / "state.json", (old, old))
        assert run.state.status == "interrupted"
    assert slept == []


@pytest.mark.slow
def test_it_carries_out_its_runs_in_order_and_outlives_who_started_it(store, samples, tiny_folder, call):
    runs = [store.create(new_spec(samples, model=str(tiny_folder))) for _ in range(2)]
    launch(runs)
    assert not any(run.own for run in runs)
    wait_until(lambda: statuses(store) == ["completed", "completed"])
    assert RunProcess.of(runs[0]) == RunProcess.of(runs[1]) != RunProcess.present()
    for run in runs:
        assert f"completed {run.id}" in call("runs", "log", run.id, "--out", store.root).out
        assert len(run.metrics) == 3


@pytest.mark.slow
def test_killed_it_leaves_its_runs_interrupted_and_they_go_on(store, samples, tiny_folder, call):
    spec = new_spec(
        samples,
        model=str(tiny_folder),
        config={"steps": 100_000},
        checkpoints={"every": 5, "minutes": 0},
    )
    launch([store.create(spec)])
    (run,) = RunStore(store.root).runs()
    wait_until(lambda: len(run.metrics) > 12)
    os.kill(RunProcess.of(run).pid, signal.SIGKILL)
    wait_until(lambda: run.state.status == "interrupted")
    assert run.has_checkpoint
    assert resumable(run)
    assert call("runs", "stop", run.id, "--out", store.root).code == 2


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="no process can be frozen there")
def test_frozen_it_is_killed_after_the_grace_period(store, samples, tiny_folder, call):
    spec = new_spec(samples, model=str(tiny_folder), config={"steps": 100_000})
    run = store.create(spec)
    launch([run])
    wait_until(lambda: run.metrics)
    os.kill(RunProcess.of(run).pid, signal.SIGSTOP)
    stopped = call("runs", "stop", run.id, "--grace", "0", "--out", store.root)
    assert (stopped.code, stopped.out) == (0, f"{run.id} is interrupted\n")


@pytest.mark.slow
def test_sigterm_stops_it_after_its_step_with_its_weights(store, samples, tiny_folder):
    spec = new_spec(samples, model=str(tiny_folder), config={"steps": 100_000})
    run = store.create(spec)
    launch([run])
    wait_until(lambda: run.metrics)
    RunProcess.of(run).alive().terminate()
    wait_until(lambda: run.state.status == "stopped")
    assert run.adapter is not None


@pytest.mark.slow
def test_two_processes_train_one_run_and_write_it_once(tmp_path, samples, tiny_folder, call, monkeypatch):
    monkeypatch.setenv("ACCELERATE_USE_CPU", "true")
    retain = samples.rpartition("/")[0] + "/rest.jsonl"
    words = ("--steps", "3", "--batch-size", "2", "--retain-batch-size", "2", "--threshold", "0.3")
    words += ("--detach", "--processes", "2", "--out", tmp_path / "runs", "--json")
    started = call("unlearn", "--model", tiny_folder, "--samples", samples, "--retain", retain, *words).json
    run = RunStore(tmp_path / "runs").get(started["run"])
    wait_until(lambda: not run.state.active)
    assert run.state.status == "completed", log_of(run)
    assert [record["step"] for record in run.metrics] == [1, 2, 3]
    assert json.loads((run.folder / "state.json").read_text())["status"] == "completed"


def test_processes_are_for_detached_runs(call, samples):
    refusal = call("unlearn", "--model", "demo", "--samples", samples, "--processes", "2")
    assert (refusal.code, "--processes is only for --detach" in refusal.err) == (2, True)


def test_a_cluster_and_a_process_of_its_own_exclude_each_other(call, samples):
    refusal = call("unlearn", "--model", "demo", "--samples", samples, "--detach", "--ray", "local")
    assert (refusal.code, "--detach and --ray exclude each other" in refusal.err) == (2, True)
