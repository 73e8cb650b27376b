"""Every tracker receives the records of a run under their names, each run in one of its own."""

from __future__ import annotations

import os

import pytest

from tests.training.small_run import FORGET
from tokenunlearn.errors import TokenUnlearnError
from tokenunlearn.runs.plan import RunPlan
from tokenunlearn.runs.runner import execute
from tokenunlearn.runs.store import RunStore
from tokenunlearn.training.settings import UnlearnSettings
from tokenunlearn.training.trackers import TENSORBOARD, Reporting
from tokenunlearn.training.unlearn import unlearn

SETTINGS = {"steps": 2, "batch_size": 2, "regularizer": "none", "train": "full"}
SERIES = {"train/loss", "train/forget_loss", "train/forget_nll", "train/grad_norm", "train/learning_rate"}


def scalars(folder):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(folder))
    events.Reload()
    return {name: [event.value for event in events.Scalars(name)] for name in events.Tags()["scalars"]}


def test_tensorboard_gets_every_record(tiny_lm, tmp_path, monkeypatch):
    pytest.importorskip("tensorboard")
    monkeypatch.delenv(TENSORBOARD, raising=False)
    reporting = Reporting(("tensorboard",), folder=tmp_path / "events")
    run = unlearn(tiny_lm, FORGET, report_to=reporting, **SETTINGS)
    logged = scalars(tmp_path / "events")
    assert logged.keys() >= SERIES
    assert logged["train/loss"] == pytest.approx([record["loss"] for record in run.history], rel=1e-5)
    assert TENSORBOARD not in os.environ


@pytest.mark.slow
def test_wandb_gets_every_record_of_two_runs_apart(tiny_lm, tmp_path, monkeypatch):
    wandb = pytest.importorskip("wandb")
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_DIR", str(tmp_path))
    monkeypatch.setenv("WANDB_SILENT", "true")
    summaries, finish = [], wandb.finish

    def finished():
        summaries.append((wandb.run.name, dict(wandb.run.summary)))
        finish()

    monkeypatch.setattr(wandb, "finish", finished)
    runs = [
        unlearn(tiny_lm, FORGET, report_to=Reporting(("wandb",), run_name=name), **SETTINGS) for name in "ab"
    ]
    assert [name for name, _ in summaries] == ["a", "b"]
    for run, (_, summary) in zip(runs, summaries, strict=True):
        assert summary.keys() >= SERIES
        assert summary["train/loss"] == pytest.approx(run.history[-1]["loss"], rel=1e-5)
    assert len(list((tmp_path / "wandb").glob("offline-run-*/*.wandb"))) == 2


def test_trackio_gets_every_record(tiny_lm, tmp_path, monkeypatch):
    monkeypatch.setenv("TRACKIO_DIR", str(tmp_path))
    pytest.importorskip("trackio")
    from trackio.sqlite_storage import SQLiteStorage

    run = unlearn(tiny_lm, FORGET, report_to=Reporting(("trackio",), run_name="a"), **SETTINGS)
    logs = SQLiteStorage.get_logs("huggingface", "a")
    losses = [log["train/loss"] for log in logs if "train/loss" in log]
    assert losses == pytest.approx([record["loss"] for record in run.history], rel=1e-5)


def test_a_stored_run_keeps_its_events_in_its_folder(tiny_folder, tmp_path, short_answers, monkeypatch):
    pytest.importorskip("tensorboard")
    monkeypatch.delenv(TENSORBOARD, raising=False)
    rows = tmp_path / "rows.jsonl"
    rows.write_text('{"question": "Who is Bo?", "answer": "Bo is the baker."}\n')
    plan = RunPlan(
        model=str(tiny_folder),
        samples=f"file:{rows}",
        retain="",
        rule={"selection": "uniform"},
        configs=[UnlearnSettings.from_settings(SETTINGS)],
        report_to="tensorboard",
    )
    (spec,) = plan.specs()
    run = RunStore(tmp_path / "runs").create(spec)
    assert execute(run).status == "completed"
    assert run.spec.report_to == "tensorboard"
    losses = [record["loss"] for record in run.metrics]
    assert scalars(run.folder / "tensorboard")["train/loss"] == pytest.approx(losses, rel=1e-5)


def test_names_are_separated_by_commas_and_none_is_none():
    assert Reporting.to("").arguments == {"report_to": "none", "run_name": None}
    assert Reporting.to("tensorboard, tensorboard").trackers == ("tensorboard",) * 2


def test_a_tracker_that_is_unknown_or_not_installed_is_one_sentence(tiny_lm, monkeypatch):
    with pytest.raises(TokenUnlearnError, match='no tracker "mlflow"; use tensorboard, trackio, wandb'):
        unlearn(tiny_lm, FORGET, report_to="mlflow", **SETTINGS)
    monkeypatch.setattr("tokenunlearn.training.trackers.find_spec", lambda name: None)
    with pytest.raises(TokenUnlearnError, match=r'wandb is not installed; run: pip install "tokenunlearn\['):
        Reporting.to("wandb")
