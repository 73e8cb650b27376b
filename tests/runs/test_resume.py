"""Runs that were interrupted, stopped or failed go on where they ended, and end as others do."""

import shutil
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
import torch
from safetensors.torch import load_file

from tests.conftest import ROOT
from tests.runs.new_runs import new_spec
from tests.waiting import wait_until
from tokenunlearn.errors import RunError
from tokenunlearn.models.loading import load_model
from tokenunlearn.models.source import ModelSource
from tokenunlearn.runs import locks, runner
from tokenunlearn.runs.resume import resumable
from tokenunlearn.runs.run_files import ATTACKS_REPORT
from tokenunlearn.runs.runner import execute
from tokenunlearn.runs.store import RunStore
from tokenunlearn.runs.worker import Worker

pytestmark = pytest.mark.usefixtures("short_answers")
EVERY = {"every": 2, "minutes": 0}
CONFIG = {"steps": 7, "learning_rate": 1e-3}


class Killed(BaseException):
    """The process ends here."""


def killed(run, lm, where):
    """Executes a run until a condition holds, and leaves it as the end of its process does."""

    def between():
        if where(run):
            raise Killed

    with pytest.raises(Killed):
        execute(run, lambda _: lm, between)
    assert run.state.status == "interrupted"


def stopped(run, lm, where):
    """Executes a run until someone stops it when a condition holds."""
    return execute(run, lambda _: lm, lambda: where(run) and run.request_cancel())


def in_phase(name):
    return lambda run: run.state.phase.startswith(name)


def after_step(step):
    return lambda run: len(run.metrics) == step


def completed(store, samples, lm, **changes):
    run = store.create(new_spec(samples, **changes))
    assert execute(run, lambda _: lm).status == "completed"
    return run


def weights_of(run):
    (file,) = (run.folder / "adapter").glob("*model.safetensors")
    return load_file(file)


def assert_same(run, expected):
    """Weights to 1e-6, and the same records and measurements."""
    assert run.state.status == expected.state.status == "completed"
    one, other = weights_of(run), weights_of(expected)
    assert one.keys() == other.keys()
    assert all(torch.allclose(one[name], other[name], atol=1e-6) for name in one)
    assert [r["step"] for r in run.metrics] == [r["step"] for r in expected.metrics]
    assert [r["loss"] for r in run.metrics] == pytest.approx([r["loss"] for r in expected.metrics], abs=1e-5)
    assert [r["step"] for r in run.watched] == [r["step"] for r in expected.watched]
    assert run.generations == expected.generations
    assert run.scores.hash == expected.scores.hash
    assert not run.checkpoints.exists() and not expected.checkpoints.exists()


@pytest.mark.parametrize("train", ["full", "lora"])
@pytest.mark.slow
def test_a_run_killed_in_training_ends_as_an_uninterrupted_one(store, samples, tiny_lm, train):
    changes = {"config": CONFIG | {"train": train}, "checkpoints": EVERY, "watch": {"every": 3}}
    expected = completed(store, samples, tiny_lm, **changes)
    run = store.create(new_spec(samples, **changes))
    killed(run, tiny_lm, after_step(6))
    assert [r["step"] for r in run.metrics] == [1, 2, 3, 4, 5, 6]
    assert [r["step"] for r in run.watched] == [0, 3, 6]
    store.resume(run.id)
    assert (run.state.status, run.state.message) == ("queued", "")
    execute(run, lambda _: tiny_lm)
    assert_same(run, expected)


@pytest.mark.slow
def test_scores_are_not_made_again_and_a_scoring_goes_on_with_the_samples_it_has(
    store, samples, tiny_lm, monkeypatch
):
    changes = {"config": CONFIG, "checkpoints": EVERY, "scoring": {"token_budget": 1}}
    expected = completed(store, samples, tiny_lm, **changes)
    run = store.create(new_spec(samples, **changes))
    killed(run, tiny_lm, lambda run: len(list((run.folder / "scoring").rglob("*.npz"))) == 2)
    units = []
    killed(
        store.resume(run.id),
        tiny_lm,
        lambda run: units.append((run.state.phase, run.state.done)) or in_phase("reference")(run),
    )
    assert next(done for phase, done in units if phase == "scoring") == 2
    assert not (run.folder / "scoring").exists()
    monkeypatch.setattr("tokenunlearn.attribution.score.score", lambda *_, **__: pytest.fail("scored again"))
    execute(store.resume(run.id), lambda _: tiny_lm)
    assert_same(run, expected)


@pytest.mark.parametrize("phase", ["comparing tokens", "generating", "measuring requests", "evaluating"])
@pytest.mark.slow
def test_what_was_measured_after_training_is_not_measured_again(store, samples, tiny_lm, phase):
    changes = {"config": CONFIG, "evaluate": 2}  # no checkpoint is due before the last step
    expected = completed(store, samples, tiny_lm, **changes)
    run = store.create(new_spec(samples, **changes))
    state = stopped(run, tiny_lm, in_phase(phase))
    assert state.status == "stopped"
    times = {path.name: path.stat().st_mtime_ns for path in run.folder.glob("*.*")}
    phases = []
    execute(store.resume(run.id), lambda _: tiny_lm, lambda: phases.append(run.state.phase))
    assert_same(run, expected)
    assert run.report["metrics"].keys() == expected.report["metrics"].keys()
    for name in ("scores.parquet", "tokens.parquet", "generations.json", "requests.json"):
        assert name not in times or (run.folder / name).stat().st_mtime_ns == times[name]
    order = ["comparing tokens", "generating", "measuring requests", "evaluating"]
    assert not set(order[: order.index(phase)]) & set(phases)


def test_what_was_measured_of_a_run_that_ended_at_its_level_is_not_measured_again(store, samples, tiny_lm):
    run = store.create(new_spec(samples, config=CONFIG | {"level": 5.0, "patience": 2}))
    killed(run, tiny_lm, in_phase("measuring requests"))
    assert len(run.metrics) == 2
    times = {name: (run.folder / name).stat().st_mtime_ns for name in ("tokens.parquet", "generations.json")}
    state = execute(store.resume(run.id), lambda _: tiny_lm)
    assert state.status == "completed" and len(run.metrics) == 2 and run.requests
    assert times == {name: (run.folder / name).stat().st_mtime_ns for name in times}


@pytest.mark.slow
def test_a_stopped_run_goes_on_and_drops_what_was_measured_of_its_earlier_weights(store, samples, tiny_lm):
    expected = completed(store, samples, tiny_lm, config=CONFIG)
    run = store.create(new_spec(samples, config=CONFIG))
    state = stopped(run, tiny_lm, after_step(3))
    assert state.status == "stopped" and run.adapter is not None and resumable(run)
    for name in ("tokens.parquet", "generations.json", "report.json"):  # made on the page Compare
        (run.folder / name).write_bytes(b"of step 3")
    execute(store.resume(run.id), lambda _: tiny_lm)
    assert_same(run, expected)
    assert run.token_changes is not None and run.report is None


def test_attacks_on_earlier_weights_do_not_outlast_a_resume(store, samples, tiny_lm):
    run = store.create(new_spec(samples, config=CONFIG))
    stopped(run, tiny_lm, after_step(3))
    (run.folder / ATTACKS_REPORT).write_bytes(b"of step 3")
    assert execute(store.resume(run.id), lambda _: tiny_lm).status == "completed"
    assert not (run.folder / ATTACKS_REPORT).exists()


@pytest.mark.slow
def test_a_failed_run_goes_on_once_the_fault_is_gone(store, samples, tiny_lm, monkeypatch):
    expected = completed(store, samples, tiny_lm, config=CONFIG, checkpoints=EVERY)
    run = store.create(new_spec(samples, config=CONFIG, checkpoints=EVERY))

    def full(record):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(runner, "measure_requests", lambda *_, **__: full({}))
        assert execute(run, lambda _: tiny_lm).status == "failed"
    assert (run.folder / "error.txt").exists() and resumable(run)
    execute(store.resume(run.id), lambda _: tiny_lm)
    assert not (run.folder / "error.txt").exists()
    assert_same(run, expected)


@pytest.mark.slow
def test_a_collapsed_a_cancelled_and_a_completed_run_cannot_be_resumed(store, samples, tiny_lm):
    config = {"steps": 20, "learning_rate": 1e20, "warmup_steps": 0, "train": "full"}
    collapsed = store.create(new_spec(samples, config=config, checkpoints={"every": 1, "minutes": 0}))
    assert execute(collapsed, lambda _: tiny_lm).status == "failed"
    cancelled = store.create(new_spec(samples))
    assert stopped(cancelled, tiny_lm, in_phase("scoring")).status == "cancelled"
    for run in (collapsed, cancelled, completed(store, samples, tiny_lm)):
        assert not resumable(run) and not run.checkpoints.exists()
        with pytest.raises(RunError, match=f"is {run.state.status}; only interrupted, stopped and failed"):
            store.resume(run.id)
    with pytest.raises(RunError, match="is queued"):
        store.resume(store.create(new_spec(samples)).id)


def test_a_run_that_two_visitors_resume_at_once_is_resumed_once(store, samples, monkeypatch):
    run = store.create(new_spec(samples))
    run.set_state(status="interrupted")
    looked = Barrier(2)

    def look(run):
        looked.wait(10)
        return True

    monkeypatch.setattr("tokenunlearn.runs.resume.resumable", look)
    with ThreadPoolExecutor() as visitors:
        answers = [visitors.submit(store.resume, run.id) for _ in range(2)]
    (fault,) = filter(None, (answer.exception() for answer in answers))
    assert "has been resumed already" in str(fault) and run.own
    locks.release(run.lock)


def test_a_run_that_others_go_on_from_is_not_resumed(store, samples, tiny_lm):
    run = store.create(new_spec(samples, config=CONFIG))
    stopped(run, tiny_lm, after_step(3))
    store.create(new_spec(samples, adapter=run.id))
    with pytest.raises(RunError, match="goes on from the weights"):
        store.resume(run.id)


def test_no_run_goes_on_from_one_that_is_being_resumed(store, samples, tiny_lm):
    run = store.create(new_spec(samples))
    stopped(run, tiny_lm, after_step(1))
    store.resume(run.id)
    with pytest.raises(RunError, match=f'weights of "{run.id}" may still change; go on from it once'):
        store.create(new_spec(samples, adapter=run.id))
    assert len(store.runs()) == 1
    locks.release(run.lock)


@pytest.mark.slow
def test_a_resumed_run_that_is_cancelled_before_it_goes_on_stays_stopped(
    store, samples, tiny_lm, monkeypatch
):
    monkeypatch.setattr(ModelSource, "load", lambda self: tiny_lm)
    run = store.create(new_spec(samples, config=CONFIG))
    stopped(run, tiny_lm, after_step(3))
    state = stopped(store.resume(run.id), tiny_lm, in_phase("loading"))
    assert state.status == "stopped" and run.adapter is not None and resumable(run)
    worker = Worker()
    long = store.create(new_spec(samples, config={"steps": 5000}))
    for waiting in (long, store.resume(run.id)):
        worker.submit(waiting)
    wait_until(lambda: long.metrics)
    worker.cancel(run)
    assert run.state.status == "stopped" and resumable(run)
    worker.cancel(long)
    wait_until(lambda: not long.state.active)


def test_a_run_killed_while_its_checkpoints_are_removed_is_completed(store, samples, tiny_lm, monkeypatch):
    run, remove = store.create(new_spec(samples, config=CONFIG)), shutil.rmtree

    def killed_there(path, **options):
        if path == run.checkpoints:
            raise Killed
        remove(path, **options)

    monkeypatch.setattr(shutil, "rmtree", killed_there)
    with pytest.raises(Killed):
        execute(run, lambda _: tiny_lm)
    assert run.state.status == "completed" and run.adapter is not None


def test_a_resumed_run_with_weights_is_not_said_to_have_changed_none(store, samples, tiny_lm):
    run = store.create(new_spec(samples, config=CONFIG | {"steps": 2}, checkpoints={"every": 0}))
    killed(run, tiny_lm, in_phase("generating"))
    state = stopped(store.resume(run.id), tiny_lm, in_phase("loading"))
    assert (state.status, run.adapter is not None) == ("stopped", True)
    assert state.message == "Stopped on request before it went on."


@pytest.mark.slow
def test_without_checkpoints_an_interrupted_run_begins_again(store, samples, tiny_lm):
    changes = {"config": CONFIG, "checkpoints": {"every": 0}, "watch": {"every": 2}}
    expected = completed(store, samples, tiny_lm, **changes)
    run = store.create(new_spec(samples, **changes))
    killed(run, tiny_lm, after_step(5))
    assert not run.has_checkpoint
    execute(store.resume(run.id), lambda _: tiny_lm)
    assert_same(run, expected)


@pytest.mark.slow
def test_damaged_checkpoints_never_stop_a_resume(store, samples, tiny_lm):
    expected = completed(store, samples, tiny_lm, config=CONFIG, checkpoints=EVERY)
    run = store.create(new_spec(samples, config=CONFIG, checkpoints=EVERY))
    killed(run, tiny_lm, after_step(5))
    for folder in run.checkpoints.iterdir():
        for file in folder.iterdir():
            file.write_bytes(file.read_bytes()[:7])
    execute(store.resume(run.id), lambda _: tiny_lm)
    assert_same(run, expected)


@pytest.mark.slow
def test_a_run_of_the_command_line_after_sigkill_ends_with_the_same_weights(tmp_path, call):
    words = [
        "unlearn",
        "--samples",
        "authors:forget10",
        "--retain",
        "authors:retain90",
        "--preset",
        "default",
    ]
    words += ["--selection", "uniform", "--steps", "8", "--batch-size", "4", "--retain-batch-size", "8"]
    words += ["--checkpoint-every", "2", "--checkpoint-minutes", "0"]
    assert call(*words, "--out", tmp_path / "whole").code == 0
    command = [sys.executable, "-m", "tests.workers.killed_command", "5", *words, "--out", tmp_path / "cut"]
    ended = subprocess.run(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    assert ended.returncode == -signal.SIGKILL
    (run,) = RunStore(tmp_path / "cut").runs()
    assert run.state.status == "interrupted" and len(run.metrics) == 5
    resumed = call("runs", "resume", run.id, "--out", tmp_path / "cut", "--json")
    assert (resumed.code, resumed.json["status"]) == (0, "completed")
    (expected,) = RunStore(tmp_path / "whole").runs()
    one, other = (
        torch.cat([p.flatten() for p in load_model("demo", adapter=r.adapter).model.parameters()])
        for r in (run, expected)
    )
    assert torch.allclose(one, other, atol=1e-6)
    assert [r["step"] for r in run.metrics] == list(range(1, 9))
    assert not run.checkpoints.exists()
