"""A run from spec to final state on a tiny model, and the worker that serves requests between its steps."""

import json
import shutil
import threading

import numpy as np
import pytest
import torch
from filelock import FileLock

from app.chat import chat_view
from tests.runs.new_runs import ROWS, new_spec
from tests.waiting import wait_until
from tokenunlearn.attribution.score import score
from tokenunlearn.attribution.score_set import ScoreSet
from tokenunlearn.datasets import load_samples
from tokenunlearn.errors import RunError
from tokenunlearn.evaluation import Verdict
from tokenunlearn.models.source import ModelSource
from tokenunlearn.runs import worker as worker_module
from tokenunlearn.runs.locks import release
from tokenunlearn.runs.runner import about_level, execute
from tokenunlearn.runs.spec import make_rule
from tokenunlearn.runs.worker import Worker

pytestmark = pytest.mark.usefixtures("short_answers")


def test_the_same_samples_to_forget_and_to_retain_are_refused(store, samples, tiny_lm):
    state = execute(store.create(new_spec(samples, retain=samples)), lambda name: tiny_lm)
    assert state.status == "failed"
    assert "Every sample of the forget set is in the retained samples too" in state.message


def test_a_run_leaves_scores_metrics_adapter_and_generations(store, samples, tiny_lm):
    run = store.create(new_spec(samples))
    state = execute(run, lambda name: tiny_lm)
    assert (state.status, state.message) == ("completed", "")
    assert [r["step"] for r in run.metrics] == [1, 2, 3]
    assert run.scores is not None
    assert run.adapter is not None
    rows = run.generations["forget"]
    assert {row["question"] for row in rows} == {row["question"] for row in ROWS}
    assert all("before" in row and "after" in row for row in rows)
    weights = run.scores.weights(make_rule(run.spec.rule))
    assert [c.sample_id for c in run.token_changes] == list(weights.sample_ids)
    for change, weight, scores in zip(run.token_changes, weights.weights, run.scores.samples, strict=True):
        assert change.weights.tolist() == weight.tolist()
        assert np.allclose(change.nll_before, scores.nll, atol=1e-4)
    assert any(abs(c.change).max() > 1e-4 for c in run.token_changes)
    assert run.state.started <= run.state.ended


@pytest.mark.slow
def test_token_changes_show_the_weights_that_were_applied(store, samples, tiny_lm):
    run = store.create(new_spec(samples, config={"weighting": "satimp", "steps": 4}))
    execute(run, lambda name: tiny_lm)
    selected = run.scores.weights(make_rule(run.spec.rule)).weights if run.scores else None
    for number, change in enumerate(run.token_changes):
        assert change.weights.mean() == pytest.approx(1, abs=1e-5)  # satimp's, of mean 1 at every step
        assert len(set(change.weights.tolist())) > 2
        assert selected is None or change.weights.tolist() != selected[number].tolist()


@pytest.mark.slow
def test_a_threshold_that_the_scores_chose_is_recorded_and_shown(store, samples, tiny_lm, monkeypatch):
    run = store.create(new_spec(samples, rule={"selection": "hard"}))
    assert run.rule == {"selection": "hard"}
    execute(run, lambda _: tiny_lm)
    assert run.rule == {"selection": "hard", "threshold": run.scores.suggested_threshold}
    monkeypatch.setattr(ScoreSet, "suggested_threshold", 0.0)  # of another version
    changes = run.token_changes
    applied = np.concatenate([change.weights for change in changes])
    assert (np.concatenate(run.scores.weights(make_rule(run.rule)).weights) == applied).all()


def test_a_given_score_set_is_used_as_it_is(store, samples, tiny_lm):
    scores = score(tiny_lm, load_samples(samples)).with_override("rows-0000", 0, True)
    run = store.create(new_spec(samples, score_hash=scores.hash), scores)
    assert execute(run, lambda name: tiny_lm).status == "completed"
    assert run.scores.hash == scores.hash


def test_no_other_scores_take_the_place_of_a_given_set(store, samples, tiny_lm):
    given = score(tiny_lm, load_samples(samples)).with_override("rows-0000", 0, True)
    for other in (None, score(tiny_lm, load_samples(samples))):
        run = store.create(new_spec(samples, score_hash=given.hash), given)
        (run.folder / "scores.parquet").unlink()
        if other:
            other.save(run.folder / "scores.parquet")
        state = execute(run, lambda name: tiny_lm)
        assert state.status == "failed" and "was given is gone or another one" in state.message


def test_scores_of_another_model_fail_the_run_in_one_sentence(store, samples, tiny_lm, family_lm):
    scores = score(tiny_lm, load_samples(samples))
    other = tiny_lm.copy(share_weights=True)
    other.revision = "other"
    state = execute(store.create(new_spec(samples), scores), lambda name: other)
    assert state.status == "failed"
    assert "score the samples with it first" in state.message


def test_an_unexpected_fault_is_failed_not_completed(store, samples):
    def broken(name):
        raise RuntimeError("out of memory")

    run = store.create(new_spec(samples))
    state = execute(run, broken)
    assert state.status == "failed"
    assert "out of memory" in state.message
    assert "Traceback" in (run.folder / "error.txt").read_text()


def test_a_folder_that_is_removed_while_samples_are_scored_ends_the_run(store, samples, tiny_lm):
    run = store.create(new_spec(samples, scoring={"token_budget": 1}))

    def between():
        if run.folder.exists() and run.state.phase == "scoring":
            shutil.rmtree(run.folder)

    state = execute(run, lambda name: tiny_lm, between)
    assert state.status == "failed" and "is gone" in state.message
    assert store.runs() == []


def test_a_diverged_loss_is_failed_and_keeps_the_last_good_state(store, samples, tiny_lm):
    config = {"steps": 20, "learning_rate": 1e20, "warmup_steps": 0, "train": "full"}
    run = store.create(new_spec(samples, config=config))
    state = execute(run, lambda name: tiny_lm)
    assert state.status == "failed"
    assert "NaN or infinite" in state.message
    assert run.adapter is not None


@pytest.mark.parametrize("level", [0.01, 1e6])
def test_a_level_that_was_reached_before_the_first_step_is_told(store, samples, tiny_lm, level):
    run = store.create(new_spec(samples, config={"steps": 2, "level": level}))
    state = execute(run, lambda name: tiny_lm)
    assert state.status == "completed"
    assert ("at its level of 0.01 nats before the first step" in state.message) == (level < 1)


@pytest.mark.parametrize(
    ("first", "last", "level", "said"),
    [
        (0.1, 5.5, 5.0, ""),
        (0.1, 2.5, 5.0, ""),
        (0.1, 2.4, 5.0, "short of its level of 5 nats, at 2.4; more steps or a higher learning rate"),
        (0.1, 10.0, 5.0, "far past its level of 5 nats, to 10; more steps bring it back"),
        (6.0, 10.0, 5.0, "before the first step"),
        (0.1, 10.0, None, ""),
    ],
)
def test_a_run_that_stayed_far_from_its_level_says_so(first, last, level, said):
    records = [{"forget_nll": nll} | ({"level": level} if level else {}) for nll in (first, last)]
    assert said in about_level(records) and bool(said) == bool(about_level(records))
    assert about_level([]) == ""


def test_cancelling_before_the_start_changes_nothing(store, samples, tiny_lm):
    run = store.create(new_spec(samples))
    run.request_cancel()
    state = execute(run, lambda name: tiny_lm)
    assert state.status == "cancelled"
    assert run.adapter is None


BEFORE = ("loading", "scoring", "holdout", "reference")
AFTER = ("comparing tokens", "generating", "measuring requests", "evaluating")


@pytest.mark.parametrize(
    ("phase", "unit"), [*((phase, 1) for phase in (*BEFORE, *AFTER)), *((phase, 2) for phase in AFTER)]
)
def test_a_cancel_ends_every_phase_at_its_next_unit(store, samples, tiny_lm, phase, unit):
    def between():
        units.append(run.state.phase)
        if sum(name.startswith(phase) for name in units) == unit:
            run.request_cancel()
            units.append("cancelled")

    units = []
    holdout = {"holdout": "german:holdout"} if phase == "holdout" else {}
    run = store.create(new_spec(samples, evaluate=2, config={"steps": 2, **holdout}))
    state = execute(run, lambda name: tiny_lm, between)
    assert units[-1] == "cancelled"
    assert (run.adapter is not None) is (phase in AFTER)
    if phase in AFTER:
        assert state.status == "stopped"
        assert state.message == f"Stopped on request while {phase}; the weights are stored."
    else:
        assert state.status == "cancelled"
        assert "no weights were changed" in state.message
    missing = {
        "comparing tokens": "tokens.parquet",
        "generating": "generations.json",
        "measuring requests": "requests.json",
    }
    assert not (run.folder / missing.get(phase, "report.json")).exists()


def test_after_a_cancel_in_training_nothing_is_measured(store, samples, tiny_lm):
    def between():
        phases.append(run.state.phase)
        if len(run.metrics) == 2:
            run.request_cancel()

    phases = []
    run = store.create(new_spec(samples, evaluate=2, config={"steps": 50}))
    state = execute(run, lambda name: tiny_lm, between)
    assert state.status == "stopped"
    assert len(run.metrics) <= 3
    assert run.adapter is not None and run.token_changes is None
    assert phases[-1] == "training"


def test_a_request_that_waits_says_for_what_and_in_which_place(store, samples):
    worker, gate = Worker(), threading.Event()
    assert worker.doing() == ""
    worker.ask(lambda: gate.wait(30), lambda: "Scoring rows, 3 of 9")
    wait_until(worker.doing)
    second, third, fourth = (worker.ask(lambda: 7) for _ in range(3))
    assert worker.doing() == "Scoring rows, 3 of 9"
    assert [worker.before(future) for future in (second, third, fourth)] == [0, 1, 2]
    assert third.cancel()
    assert worker.before(fourth) == 1
    gate.set()
    assert fourth.result(timeout=60) == 7
    wait_until(lambda: not worker.doing())


@pytest.mark.slow
def test_a_request_that_waits_for_a_run_says_which_and_how_far_it_is(store, samples, tiny_lm, monkeypatch):
    monkeypatch.setattr(ModelSource, "load", lambda self: tiny_lm)
    worker, said = Worker(), []
    run = store.create(new_spec(samples, label="my run", config={"steps": 20}))
    worker.submit(run)
    wait_until(lambda: said.append(worker.doing()) or not run.state.active)
    steps = [text for text in said if "step" in text]
    assert steps
    assert all(text.startswith("my run, step ") and text.endswith(" of 20") for text in steps)


@pytest.mark.slow
def test_worker_serves_requests_between_steps_and_cancel_works_within_a_step(
    store, samples, tiny_lm, monkeypatch
):
    monkeypatch.setattr(ModelSource, "load", lambda self: tiny_lm)
    worker = Worker()
    run = store.create(new_spec(samples, config={"steps": 5000}))
    waiting = store.create(new_spec(samples))
    worker.submit(run)
    worker.submit(waiting)
    wait_until(lambda: len(run.metrics) > 2)
    thread = worker.ask(lambda: threading.current_thread().name).result(timeout=30)
    assert thread == "tokenunlearn-worker"
    assert run.state.status == "running"
    assert waiting.state.status == "queued"
    steps = len(run.metrics)
    run.request_cancel()
    wait_until(lambda: not run.state.active)
    assert run.state.status == "stopped"
    assert f"Stopped after {len(run.metrics)} of 5000 steps" in run.state.message
    assert steps <= len(run.metrics)
    assert run.adapter is not None
    wait_until(lambda: not waiting.state.active)
    assert waiting.state.status == "completed"


@pytest.mark.slow
def test_a_waiting_run_is_cancelled_at_once_and_a_discarded_one_leaves_nothing(
    store, samples, tiny_lm, monkeypatch
):
    monkeypatch.setattr(ModelSource, "load", lambda self: tiny_lm)
    worker = Worker()
    running = store.create(new_spec(samples, config={"steps": 5000}))
    waiting = [store.create(new_spec(samples)) for _ in range(3)]
    for run in (running, *waiting):
        worker.submit(run)
    wait_until(lambda: running.metrics)
    assert worker.waiting() == waiting
    worker.cancel(waiting[0])
    assert waiting[0].state.status == "cancelled"
    assert "before it started" in waiting[0].state.message
    with pytest.raises(RunError, match="only queued and running"):
        worker.cancel(waiting[0])
    worker.discard(waiting[1])
    assert worker.waiting() == waiting[2:]
    worker.discard(running)
    wait_until(lambda: not waiting[2].state.active)
    assert waiting[2].state.status == "completed"
    wait_until(lambda: not running.folder.exists() and not waiting[1].folder.exists())
    assert waiting[0].metrics == []
    with pytest.raises(RunError, match="only queued and running"):
        worker.discard(waiting[2])
    assert waiting[2].folder.exists()


def test_a_run_of_another_process_is_not_discarded(store, samples):
    run = store.create(new_spec(samples))
    release(run.lock)
    with FileLock(run.lock), pytest.raises(RunError, match="belongs to another process"):
        Worker().discard(run)
    assert not run.cancel_requested


def test_a_run_that_another_goes_on_from_is_not_discarded(store, samples):
    run = store.create(new_spec(samples))
    later = store.create(new_spec(samples, adapter=run.id))
    with pytest.raises(RunError, match=f'"{later.id}" goes on from "{run.id}"; delete that one first'):
        Worker().discard(run)
    assert run.state.status == "queued" and not run.cancel_requested


def test_a_discarded_waiting_run_is_gone_while_another_runs(store, samples, tiny_lm, monkeypatch):
    monkeypatch.setattr(ModelSource, "load", lambda self: tiny_lm)
    worker = Worker()
    running = store.create(new_spec(samples, config={"steps": 5000}))
    waiting = store.create(new_spec(samples))
    for run in (running, waiting):
        worker.submit(run)
    wait_until(lambda: running.metrics)
    worker.discard(waiting)
    wait_until(lambda: not waiting.folder.exists())
    assert running.state.active
    worker.cancel(running)
    wait_until(lambda: not running.state.active)


def test_a_failing_request_reaches_who_asked_and_not_the_worker():
    worker = Worker()
    with pytest.raises(ZeroDivisionError):
        worker.ask(lambda: 1 // 0).result(timeout=60)
    assert worker.ask(lambda: 7).result(timeout=60) == 7


def test_worker_keeps_the_models_used_last(monkeypatch):
    loaded = []
    monkeypatch.setattr(ModelSource, "load", lambda self: loaded.append(self.name))
    worker = Worker()
    for source in map(ModelSource, "abcdaebc"):
        worker.ask(lambda source=source: worker.model(source)).result(timeout=60)
    assert loaded == ["a", "b", "c", "d", "e", "b", "c"]
    assert chat_view.MODELS == worker_module.MODELS_HELD == 4


def test_a_run_that_was_asked_and_went_on_is_asked_with_its_new_weights(store, samples, tiny_folder):
    worker = Worker()
    run = store.create(new_spec(samples, model=str(tiny_folder), config={"steps": 3, "learning_rate": 1e-3}))
    execute(run, ModelSource.load, lambda: len(run.metrics) == 1 and run.request_cancel())
    assert run.state.status == "stopped"

    def asked():
        lm = worker.ask(lambda: worker.model(run.result)).result(timeout=60)
        weights = torch.cat([p.detach().flatten() for p in lm.model.parameters()])
        return lm, weights

    stopped, weights = asked()
    assert asked()[0] is stopped
    assert execute(store.resume(run.id), ModelSource.load).status == "completed"
    whole, new_weights = asked()
    assert stopped.revision != whole.revision == run.result.revision
    assert not torch.equal(new_weights, weights)


@pytest.mark.slow
def test_a_run_on_a_file_is_evaluated_on_the_file_and_its_retained_samples(store, samples, tiny_lm, tmp_path):
    rows = [row | {"answer": "Nobody does."} for row in ROWS]
    (tmp_path / "keep.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    retain = f"file:{tmp_path / 'keep.jsonl'}"
    run = store.create(new_spec(samples, retain=retain, evaluate=2, config={"steps": 1}))
    assert execute(run, lambda name: tiny_lm).status == "completed"
    assert run.report["suite"] == "own"
    assert [run.report["settings"][part] for part in ("forget", "retain")] == [samples, retain]
    assert run.report["metrics"]["retain/probability"]["n"] == 2
    assert Verdict.load(run.folder / "verdict.json").outcome == "open"
