"""Runs on disk: written whole, read by anyone, honest about what happened."""

import json
import os
from dataclasses import asdict

import pytest

from tokenunlearn.errors import RunError, TokenUnlearnError
from tokenunlearn.files import write_json
from tokenunlearn.models.source import ModelSource
from tokenunlearn.runs.locks import release
from tokenunlearn.runs.run import UNREADABLE
from tokenunlearn.runs.spec import RunSpec, make_rule
from tokenunlearn.runs.store import RunStore
from tokenunlearn.training.settings import UnlearnSettings


def spec(**changes):
    values = {
        "model": "demo",
        "samples": "authors:forget10",
        "retain": "authors:retain90",
        "rule": {"selection": "hard", "threshold": 0.6},
        "config": {"objective": "npo", "steps": 3},
    }
    return RunSpec.new(**values | changes)


def test_a_new_run_is_queued_and_its_spec_reads_back_equal(store):
    made = spec(label="first", config=asdict(UnlearnSettings(objective="npo", steps=3)))
    run = store.create(made)
    assert run.spec == made
    assert run.state.status == "queued"
    assert [r.id for r in store.runs()] == [made.id]
    assert store.get(made.id[:20]).id == made.id


def test_a_spec_from_before_a_setting_keeps_what_its_run_did(store):
    config = asdict(UnlearnSettings(objective="complement"))
    assert config["lr_scheduler_type"] == "linear"
    made = spec(config={k: v for k, v in config.items() if k != "lr_scheduler_type"})
    assert store.create(made).spec.config["lr_scheduler_type"] == "constant_with_warmup"
    made = spec(config={k: v for k, v in config.items() if k != "frame"})
    assert store.create(made).spec.config["frame"] == 0.0


def test_runs_are_listed_newest_first_and_half_made_ones_not_at_all(store):
    first, second = spec(), spec()
    for one in (first, second):
        store.create(one)
    (store.root / ".new-abc").mkdir()
    (store.root / "uploads").mkdir()
    assert [r.id for r in store.runs()] == sorted([first.id, second.id], reverse=True)


@pytest.mark.parametrize(
    ("status", "message"),
    [
        ("running", "The process stopped before this run finished."),
        ("queued", "The server stopped before this run started."),
    ],
)
def test_an_active_run_whose_lock_is_free_is_interrupted(store, status, message):
    run = store.create(spec())
    state = json.loads((run.folder / "state.json").read_text())
    release(run.lock)
    write_json(run.folder / "state.json", state | {"status": status, "pid": os.getpid()})
    assert (run.state.status, run.state.message) == ("interrupted", message)
    assert json.loads((run.folder / "state.json").read_text())["status"] == status
    with pytest.raises(RunError, match="is interrupted; only queued and running"):
        run.request_cancel()
    store.delete(run.id)
    assert store.runs() == []


def test_damaged_files_are_told_not_raised_where_a_list_is_shown(store):
    run = store.create(spec())
    (run.folder / "state.json").write_text("{")
    assert (run.state.status, run.state.message) == ("running", UNREADABLE)
    with pytest.raises(RunError, match="is running; cancel it first"):
        store.delete(run.id)
    release(run.lock)
    assert run.state.status == "damaged"
    (run.folder / "spec.json").write_text("{")
    with pytest.raises(RunError, match=r"is damaged and can only be deleted: spec\.json is not valid JSON"):
        _ = run.spec


def test_a_record_that_is_still_being_written_is_left_out(store):
    run = store.create(spec())
    run.append_metrics({"step": 1.0, "loss": float("nan")})
    with (run.folder / "metrics.jsonl").open("a") as file:
        file.write('{"step": 2')
    assert run.metrics == [{"step": 1.0, "loss": None}]


def test_active_runs_are_cancelled_but_not_deleted_and_ended_ones_the_other_way_round(store):
    run = store.create(spec())
    with pytest.raises(RunError, match="cancel it first"):
        store.delete(run.id)
    run.request_cancel()
    assert run.cancel_requested
    run.set_state(status="cancelled")
    with pytest.raises(RunError, match="only queued and running"):
        run.request_cancel()
    store.delete(run.id)


def test_a_run_started_when_it_first_ran(store, monkeypatch):
    times = iter(["09:00", "09:01", "09:02"])
    monkeypatch.setattr("tokenunlearn.runs.run.now", lambda: next(times))
    run = store.create(spec())
    run.set_state(status="running", phase="loading")
    run.set_state(status="running", phase="training")
    run.set_state(status="completed")
    assert (run.state.started, run.state.ended) == ("09:00", "09:01")


def test_a_run_is_renamed_without_touching_its_spec(store):
    run = store.create(spec(label="first"))
    frozen = (run.folder / "spec.json").read_bytes()
    run.rename("  better\n name ")
    assert run.label == "better name"
    assert (run.folder / "spec.json").read_bytes() == frozen
    run.rename("x" * 500)
    assert len(run.label) == 80
    run.rename("")
    assert run.label == "first"


def test_a_run_without_token_changes_has_none(store):
    assert store.create(spec()).token_changes is None


@pytest.mark.parametrize("run_id", ["", "nothing"])
def test_unknown_runs_are_refused(store, run_id):
    with pytest.raises(RunError, match="There is no run"):
        store.get(run_id)


def test_an_ambiguous_id_is_refused(store):
    store.create(spec())
    store.create(spec())
    with pytest.raises(RunError, match="2 runs start with"):
        store.get("2")


def test_a_folder_that_cannot_be_written_is_one_sentence(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(TokenUnlearnError, match="cannot be written"):
        RunStore(tmp_path / "file").create(spec())


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ({"selection": "medium"}, 'no selection "medium"'),
        ({"selection": "soft", "threshold": 0.5}, "does not take threshold"),
        ({"selection": "hard", "threshold": 1.5}, "between 0 and 1"),
    ],
)
def test_wrong_rules_are_refused(rule, message):
    with pytest.raises(TokenUnlearnError, match=message):
        make_rule(rule)


def ended(store, **changes):
    """A completed run with an adapter folder."""
    run = store.create(spec(**changes))
    run.set_state(status="completed")
    (run.folder / "adapter").mkdir()
    return run


def test_a_run_that_goes_on_from_others_starts_from_all_they_changed(store):
    first = ended(store)
    second = ended(store, adapter=first.id)
    third = ended(store, adapter=second.id, template_kwargs={"enable_thinking": True})
    assert [run.id for run in third.lineage] == [first.id, second.id, third.id]
    folders = tuple(str(run.folder / "adapter") for run in (first, second, third))
    assert third.start == ModelSource("demo", folders[:2], {"enable_thinking": True})
    assert third.result.adapters == folders
    assert first.start == ModelSource("demo")
    assert store.continued(first) == [second]


def test_a_foreign_adapter_stands_before_all_runs(store, tmp_path):
    (tmp_path / "foreign").mkdir()
    first = ended(store, adapter=store.locate(str(tmp_path / "foreign")))
    assert ended(store, adapter=first.id).start.adapters == (
        str(tmp_path / "foreign"),
        str(first.folder / "adapter"),
    )


def test_what_a_spec_calls_an_adapter(store, tmp_path):
    run = ended(store)
    for name in (run.id, str(run.folder), str(run.folder / "adapter")):
        assert store.locate(name) == run.id
    elsewhere = ended(RunStore(tmp_path / "others"))
    assert store.locate(str(elsewhere.folder)) == str(elsewhere.folder)
    for name in ("nothing", "./nothing"):
        with pytest.raises(RunError, match="There is no run"):
            store.locate(name)


def test_a_run_that_others_go_on_from_is_not_deleted(store):
    first = ended(store)
    second = ended(store, adapter=first.id)
    with pytest.raises(RunError, match="goes on from"):
        store.delete(first.id)
    store.delete(second.id)
    store.delete(first.id)


def test_a_lineage_that_is_broken_or_a_circle_is_refused(store):
    gone = ended(store, adapter="20260101-000000-npo-hard-0000")
    with pytest.raises(RunError, match="which is gone"):
        _ = gone.start
    circle = ended(store)
    circle.write("spec.json", circle.spec.to_json() | {"adapter": circle.id})
    with pytest.raises(RunError, match="goes on from itself"):
        _ = circle.start
