"""The list of runs: stable colors, files read again only when they change, curves with their extremes."""

from __future__ import annotations

import random

import pytest

from app.compare import run_index, run_table
from tests.stored_run import write_run
from tokenunlearn.runs.locks import release
from tokenunlearn.runs.run import Run
from tokenunlearn.runs.store import RunStore

IDS = [f"2026010{i}-100000-npo-hard-000{i}" for i in range(1, 4)]


@pytest.fixture
def store(tmp_path):
    for i, run_id in enumerate(IDS[:2]):
        write_run(tmp_path, run_id, f"run {i}", told=i / 2)
    return RunStore(tmp_path)


def test_a_new_run_changes_no_color(store):
    before = {e.id: e.color for e in run_index.entries(store.runs())}
    write_run(store.root, IDS[2], "new")
    after = {e.id: e.color for e in run_index.entries(store.runs())}
    assert {i: after[i] for i in before} == before
    assert len(set(after.values())) == 3


def test_what_has_changed_is_read_anew_and_the_rest_is_not(store, monkeypatch):
    run_index.entries(store.runs())
    read = []
    report = Run.report
    monkeypatch.setattr(Run, "report", property(lambda run: read.append(run.id) or report.fget(run)))
    run_index.entries(store.runs())
    assert read == []
    store.get(IDS[0]).rename("other")
    entries = run_index.entries(store.runs())
    assert read == [IDS[0]]
    assert [e.label for e in entries] == ["run 1", "other"]


def test_an_unreadable_run_is_left_out(store):
    (store.get(IDS[0]).folder / "spec.json").write_text("{")
    assert [e.id for e in run_index.entries(store.runs())] == [IDS[1]]


def test_a_run_whose_process_has_gone_is_no_longer_running(store):
    run = store.get(IDS[0])
    for status in ("running", "queued"):
        run.take()
        run.set_state(status=status)
        assert run_index.entries(store.runs())[1].state.status == status
        release(run.lock)
        assert run_index.entries(store.runs())[1].state.status == "interrupted"
    run.take()
    assert run_index.entries(store.runs())[1].state.status == "queued"
    release(run.lock)


def test_the_curve_of_a_long_run_is_short_and_keeps_its_extremes(store):
    run = store.get(IDS[0])
    draw = random.Random(0)
    values = [draw.gauss(0, 1) for _ in range(1003)]
    for step, value in enumerate(values, start=6):
        run.append_metrics({"step": step, "forget_nll": value})
    curve = run_index.entries(store.runs())[1].curve
    assert len(curve) <= 60
    assert (min(curve), curve[-1]) == (min(values), values[-1])
    assert max(curve) == max([*values, 5.0])


def test_table_rows_tell_letters_curves_and_headline_figures(store):
    first, second = run_table.rows(run_index.entries(store.runs()), [IDS[0]])
    assert (first["compare"], second["compare"]) == (False, True)
    assert second["mark"].endswith("A")
    assert second["forget NLL"] == pytest.approx([1, 2, 3, 4, 5])
    assert (first["still recalled"], second["still recalled"]) == (0.25, 0.0)
    assert second["weights"] == "hard, 0.6"
