"""One damaged run harms no other: each kind of damage, for lists, pages' data and commands."""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.charts import decimate
from app.compare import comparison
from app.compare.verdict_panel import panel_html
from app.present.presentation import Story, make_slides
from app.tokens import pinned_token
from app.tokens.prediction_view import moments_html
from app.unlearn import command_line, run_view
from app.unlearn.watch_view import answers_html
from tests.damage import damaged
from tests.stored_run import write_run
from tokenunlearn.errors import RunError, TokenUnlearnError
from tokenunlearn.evaluation.token_changes import summarize
from tokenunlearn.folders import ASSETS
from tokenunlearn.runs.judgment import run_verdict
from tokenunlearn.runs.ledger import forest
from tokenunlearn.runs.run import Run
from tokenunlearn.runs.run_files import ATTACKS_REPORT, READERS, START_REPORT
from tokenunlearn.runs.store import RunStore

IDS = [f"2026010{i}-100000-npo-hard-000{i}" for i in (1, 2, 3)]


@pytest.fixture
def store(tmp_path):
    for run_id in IDS:
        write_run(tmp_path / "runs", run_id, f"run {run_id[-1]}")
    return RunStore(tmp_path / "runs")


def edited(name, **changes):
    def damage(folder):
        values = json.loads((folder / name).read_text())
        (folder / name).write_text(json.dumps(values | changes))

    return damage


def content(name, text):
    return lambda folder: (folder / name).write_bytes(text)


def removed(name):
    return lambda folder: (folder / name).unlink()


WHOLE = {
    "no spec": (removed("spec.json"), "spec.json cannot be read"),
    "no state": (removed("state.json"), "state.json cannot be read"),
    "half a spec": (content("spec.json", b'{"id": "x'), "spec.json is not valid JSON"),
    "spec is 5": (content("spec.json", b"5"), "spec.json must be an object"),
    "samples = 7": (edited("spec.json", samples=7), '"samples" in spec.json must be text'),
    "created yesterday": (edited("spec.json", created="yesterday"), '"created" in spec.json must be a time'),
    "rule of a list": (edited("spec.json", rule={"selection": []}), '"selection" in the rule in spec.json'),
    "parameters = 5": (edited("spec.json", config={"parameters": 5}), "must be an object"),
    "done null": (edited("state.json", done=None), '"done" in state.json must be a whole number'),
    "done text": (edited("state.json", done="7"), '"done" in state.json must be a whole number'),
    "status of a newer version": (
        edited("state.json", status="paused"),
        '"status" in state.json must be one of',
    ),
    "spec is a folder": (
        lambda folder: (removed("spec.json")(folder), (folder / "spec.json").mkdir()),
        "spec.json cannot be read",
    ),
}
SIDE = {
    "NUL in metrics": (content("metrics.jsonl", b"\0\0\n"), "metrics.jsonl has 1 damaged lines"),
    "half a line": (content("metrics.jsonl", b'{"step": \n{"step": 1}\n'), "metrics.jsonl has 1 damaged"),
    "watched of text": (content("watched.jsonl", b'{"step": "a"}\n'), "watched.jsonl has 1 damaged lines"),
    "label not UTF-8": (content("label.txt", b"\xff\xfe"), "label.txt is not UTF-8"),
    "report is 5": (content("report.json", b"5"), "report.json must be an object"),
    "report is a list": (content("report.json", b"[1]"), "report.json must be an object"),
    "deep report": (content("report.json", b"[" * 100_000), "report.json is not valid JSON"),
    "metrics of text": (edited("report.json", metrics="many"), "report.json"),
    "interval of three": (
        edited("report.json", metrics={"a": {"value": 1, "n": 1, "interval": [1, 2, 3], "better": "lower"}}),
        "report.json",
    ),
    "generations = []": (content("generations.json", b"[]"), "generations.json must be an object"),
    "resolved = 1": (content("resolved.json", b"1"), "resolved.json must be an object"),
    "tokens of other columns": (
        lambda folder: pq.write_table(pa.table({"a": [1]}), folder / "tokens.parquet"),
        "tokens.parquet is not a table",
    ),
    "scores of other columns": (
        lambda folder: pq.write_table(pa.table({"a": [1]}), folder / "scores.parquet"),
        "is not a score set",
    ),
}


@pytest.mark.parametrize("damage", WHOLE)
def test_a_damaged_run_says_why_and_can_be_deleted(store, damage):
    do, reason = WHOLE[damage]
    run = store.get(IDS[1])
    do(run.folder)
    assert [r.id for r in store.runs()] == IDS[::-1]
    assert run.state.status == "damaged" and reason in run.state.message
    table = run_view.run_table(store.runs())
    assert list(table["status"]) == ["completed", "damaged", "completed"]
    assert store.get(IDS[0]).state.status == "completed"
    store.delete(run.id)
    assert [r.id for r in store.runs()] == [IDS[2], IDS[0]]


@pytest.mark.parametrize("damage", SIDE)
def test_a_run_with_a_damaged_file_stays_usable_and_says_so(store, damage):
    do, reason = SIDE[damage]
    run = store.get(IDS[1])
    assert run.damage == []
    do(run.folder)
    (sentence,) = run.damage
    assert reason in sentence
    assert run.state.status == "completed" and run.label == "run 2"


def test_a_flipped_byte_of_a_number_is_seen(store):
    path = store.get(IDS[1]).folder / "tokens.parquet"
    sound = path.read_bytes()
    place = sound.index(np.float32(0.1).tobytes())
    path.write_bytes(sound[:place] + b"\0" + sound[place + 1 :])
    (sentence,) = store.get(IDS[1]).damage
    assert "tokens.parquet" in sentence


def test_what_newer_versions_add_is_left_out(store):
    run = store.get(IDS[1])
    edited("spec.json", priority="high")(run.folder)
    edited("state.json", host="here", pid=None)(run.folder)
    edited(
        "spec.json", config=dict(run.spec.config) | {"weighting": "new", "weighting_parameters": {"b": 2}}
    )(run.folder)
    assert run.state.status == "completed" and run.damage == []
    assert run_view.weights_text(run.spec) == "new" and run_view.weights_move(run.spec)
    edited("spec.json", config={"objective": "new", "control": "shuffled"})(run.folder)
    assert run_view.weights_text(run.spec) == "shuffled of hard, 0.6"
    assert "--objective new" in command_line.command_lines(run.spec, run.folder, run.folder.parent)


def test_a_run_folder_that_is_a_link_is_read_and_only_the_link_deleted(store, tmp_path):
    run = store.get(IDS[1])
    run.folder.rename(tmp_path / "elsewhere")
    run.folder.symlink_to(tmp_path / "elsewhere")
    (store.root / "loop").symlink_to(store.root / "loop")
    assert run.state.status == "completed"
    store.delete(run.id)
    assert (tmp_path / "elsewhere" / "spec.json").is_file()
    assert [r.id for r in store.runs()] == [IDS[2], IDS[0]]


def test_a_folder_that_may_not_be_looked_into_is_damaged(store, monkeypatch):
    folder = store.root / "20260104-locked"
    folder.mkdir()
    monkeypatch.setattr("os.access", lambda path, mode: Path(path) != folder)
    (locked, *_) = store.runs()
    assert locked.id == folder.name and locked.state.status == "damaged"

    def refuse(path):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(shutil, "rmtree", refuse)
    with pytest.raises(RunError, match="cannot be deleted: Permission denied"):
        store.delete(locked.id)


def test_the_commands_show_damage_and_end_well(store, call):
    for number, (do, _) in enumerate((WHOLE["done text"], SIDE["report is 5"])):
        do(store.get(IDS[number]).folder)
    listed = call("runs", "list", "--out", store.root, "--json")
    assert listed.code == 0
    assert [row["status"] for row in listed.json] == ["completed", "completed", "damaged"]
    assert '"done"' in listed.json[-1]["message"]
    assert call("runs", "list", "--out", store.root).code == 0
    shown = call("runs", "show", IDS[1], "--out", store.root)
    assert shown.code == 0 and "report.json must be an object. The file is ignored." in shown.out
    removed("spec.json")(store.get(IDS[0]).folder)
    assert "is damaged and can only be deleted" in call("runs", "show", IDS[0], "--out", store.root).sentence
    assert call("runs", "delete", IDS[0], "--out", store.root).code == 0


def test_the_process_that_runs_it_goes_on_though_its_state_was_damaged(store):
    run = store.get(IDS[0])
    content("state.json", b"{")(run.folder)
    assert run.set_state(status="completed").status == "completed"
    assert run.state.status == "completed"


def use_spec(run):
    run_view.run_table([run])
    spec = run.spec
    comparison.settings_rows({"A": spec}, only_different=False)
    command_line.command_lines(spec, run.folder, run.folder.parent)
    make_slides(Story(spec, {}))


def use_report(run):
    report = run.report
    reports = {"A": report} if report else {}
    comparison.metric_table(comparison.metric_rows(reports))
    for split in comparison.splits_of(reports.values()):
        comparison.question_rows(reports, split, comparison.row_metrics(reports.values(), split))
    make_slides(Story(run.spec, {}, report, None, report, run_verdict(run)))


def use_metrics(run):
    records = run.metrics
    decimate([nll for record in records if (nll := record.get("forget_nll")) is not None], 4)
    assert all(record["step"] < float("inf") for record in records)


def use_watched(run):
    if watched := run.watched:
        answers_html(watched)
        assert all(record["memory"]["bytes"] < float("inf") for record in watched)


def use_predictions(run):
    moments_html("Ada", pinned_token.recorded(run, "s", 0))


def use_tokens(run):
    changes = run.token_changes or []
    summarize(changes)
    for change in changes:
        comparison.token_rows({"A": change})


def use_verdict(run):
    verdict = run_verdict(run)
    if verdict is not None:
        json.dumps(verdict.to_json(), allow_nan=False)
        panel_html(verdict)


# What lists, pages and commands make of each file.
USES = {
    "spec.json": use_spec,
    "state.json": lambda run: run_view.run_table([run]),
    "label.txt": lambda run: run.label,
    "metrics.jsonl": use_metrics,
    "watched.jsonl": use_watched,
    "predictions.jsonl": use_predictions,
    "resolved.json": lambda run: run.resolved,
    "generations.json": lambda run: make_slides(Story(run.spec, run.generations)),
    "report.json": lambda run: (use_report(run), use_verdict(run)),
    ATTACKS_REPORT: lambda run: use_verdict(run),
    START_REPORT: lambda run: run.start_report,
    "requests.json": lambda run: (list(forest([run])), comparison.request_rows([run])),
    "scores.parquet": lambda run: make_slides(Story(run.spec, {}, None, run.scores)),
    "tokens.parquet": use_tokens,
}


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Run:
    """A run with every file, as it was before any damage."""
    run = write_run(tmp_path_factory.mktemp("runs"), IDS[0], "whole")
    shipped = next((ASSETS / "runs").iterdir())
    lines = (shipped / "watched.jsonl").read_text().splitlines(keepends=True)[:3]
    (run.folder / "watched.jsonl").write_text("".join(lines))
    predicted = {"probability": 0.5, "rank": 1, "alternatives": [{"text": "Ada", "probability": 0.5}]}
    for step in (0, 5):
        run.append_predictions({"step": step, "samples": {"s": [predicted]}})
    for name in ("resolved.json", "requests.json"):
        shutil.copy(shipped / name, run.folder)
    for name in (START_REPORT, ATTACKS_REPORT):
        shutil.copy(run.folder / "report.json", run.folder / name)
    run.rename("other")
    from tests.app.scores import sample, score_set

    score_set([sample(np.arange(5), np.arange(5.0))]).save(run.folder / "scores.parquet")
    assert run.damage == []
    assert USES.keys() == {"spec.json", "state.json", *READERS}
    return run


@pytest.mark.parametrize("name", USES)
@pytest.mark.slow
def test_no_damage_to_a_file_is_more_than_a_sentence(whole, name):
    path = whole.folder / name
    sound = path.read_bytes()

    @given(damaged(sound))
    def holds(content):
        path.write_bytes(content)
        try:
            USES[name](whole)
        except TokenUnlearnError as error:
            assert str(error).strip().endswith("."), error

    try:
        holds()
    finally:
        path.write_bytes(sound)


@given(st.data())
@pytest.mark.slow
def test_a_state_reads_back_as_it_was_written(whole, data):
    done = data.draw(st.integers(0, 2**31))
    message = data.draw(st.text())
    state = whole.set_state(status="failed", done=done, message=message)
    assert whole.state == state and asdict(state)["done"] == done
