"""The shipped run: complete, small, with its weights, and the same as what its command would ship."""

from __future__ import annotations

from dataclasses import asdict, replace

import numpy as np
import pytest
import torch

from tokenunlearn.attribution.score_set import ScoreSet
from tokenunlearn.errors import RunError
from tokenunlearn.evaluation.watch import WatchSettings
from tokenunlearn.folders import ASSETS
from tokenunlearn.models.loading import load_model
from tokenunlearn.models.source import ModelSource
from tokenunlearn.runs.run_files import SHIPPED_FILES
from tokenunlearn.runs.store import RunStore
from tokenunlearn.training.settings import UnlearnSettings
from tools.embedded import stored_run
from tools.embedded.stored_run import ship

SHIPPED = RunStore(ASSETS / "runs", read_only=True)


def test_one_run_is_shipped_whole_and_small():
    (run,) = SHIPPED.runs()
    files = [path for path in run.folder.iterdir() if path.is_file()]
    assert {path.name for path in files} == set(SHIPPED_FILES)
    assert sum(path.stat().st_size for path in files) < 2_000_000
    assert sum(path.stat().st_size for path in (run.folder / "adapter").glob("*")) < 12_000_000
    assert run.state.status == "completed"
    assert run.scores.revision == ModelSource(run.spec.model).revision
    assert run.report["metrics"]["forget/gold_span"]["n"] == len(run.scores)


def test_no_machine_path_is_in_it():
    (run,) = SHIPPED.runs()
    for path in run.folder.rglob("*.*"):
        content = path.read_bytes()
        assert not any(
            folder in content for folder in (b"/home/", b"/root/", b"/tmp/", b"/work/", b"/Users/")
        )


def test_shipped_runs_can_be_read_only():
    (run,) = SHIPPED.runs()
    with pytest.raises(RunError, match="read-only"):
        SHIPPED.delete(run.id)
    with pytest.raises(RunError, match="read-only"):
        SHIPPED.create(run.spec)
    with pytest.raises(RunError, match="only queued and running"):
        run.request_cancel()
    assert SHIPPED.get(run.id).spec == run.spec


def test_shipping_replaces_what_was_there(tmp_path):
    (run,) = SHIPPED.runs()
    store = RunStore(tmp_path / "runs")
    made = store.create(run.spec, run.scores)
    made.set_state(status="completed")
    (tmp_path / "shipped" / "old").mkdir(parents=True)
    ship(made, tmp_path / "shipped")
    (copy,) = RunStore(tmp_path / "shipped").runs()
    assert {path.name for path in copy.folder.iterdir()} == {"spec.json", "state.json", "scores.parquet"}
    assert copy.state == made.state
    assert [path.name for path in (tmp_path / "shipped").iterdir()] == [run.id]


def test_the_weights_are_shipped_in_half_the_size_and_load(tmp_path, tiny_folder, tiny_lm):
    (run,) = SHIPPED.runs()
    made = RunStore(tmp_path / "runs").create(run.spec)
    adapter = made.folder / "adapter"
    tiny_lm.model.save_pretrained(adapter)
    (adapter / "README.md").write_text("not needed")
    shipped = ship(made, tmp_path / "shipped") / "adapter"
    size = {path: (path / "model.safetensors").stat().st_size for path in (adapter, shipped)}
    assert size[shipped] < 0.6 * size[adapter]
    assert not (shipped / "README.md").exists()
    lm = load_model(str(tiny_folder), adapter=str(shipped))
    for own, other in zip(lm.model.parameters(), tiny_lm.model.parameters(), strict=True):
        assert torch.allclose(own, other, atol=1e-3)


@pytest.mark.slow
def test_the_command_renews_the_shipped_run(tmp_path, monkeypatch):
    spec = stored_run.shipped_spec()
    short = asdict(UnlearnSettings(objective=spec.config["objective"], steps=1))
    small = replace(spec, model="demo", config=short, evaluate=4, watch=WatchSettings(0).described())
    monkeypatch.setattr(stored_run, "ASSETS", tmp_path)
    monkeypatch.setattr(stored_run, "ATTACKED", 4)
    monkeypatch.setattr(stored_run, "shipped_spec", lambda: small)
    folder = stored_run.make_stored_run(lambda run, execute: execute(run))
    (made,) = RunStore(tmp_path / "runs").runs()
    assert made.folder == folder
    unwatched = {"watched.jsonl", "predictions.jsonl"}
    assert {path.name for path in folder.iterdir()} == {*SHIPPED_FILES, "adapter"} - unwatched
    assert made.result.load().parameters
    assert made.report["metrics"]["forget/gold_span"]["n"] == 4


def test_the_shipped_run_is_what_its_command_does_now():
    (run,) = SHIPPED.runs()
    spec = stored_run.shipped_spec()
    same = ("label", "model", "samples", "retain", "rule", "scoring", "evaluate", "watch")
    assert [getattr(run.spec, name) for name in same] == [getattr(spec, name) for name in same]
    # A setting that is younger than the shipped run has its default there.
    assert UnlearnSettings(**run.spec.config) == UnlearnSettings(**spec.config)
    own = ScoreSet.load(ASSETS / "scores" / "smollm2-authors-authors-forget10.parquet")
    whole = ("settings", "masking", "model", "revision", "overrides")
    assert [getattr(run.scores, name) for name in whole] == [getattr(own, name) for name in whole]
    for scored, other in zip(run.scores.samples, own.samples, strict=True):
        for name, value in vars(scored).items():
            if np.asarray(value).dtype.kind == "f":  # another processor rounds another way
                assert value == pytest.approx(getattr(other, name), abs=1e-3)
            else:
                assert np.array_equal(value, getattr(other, name))


def test_a_run_that_failed_is_not_shipped(tmp_path, monkeypatch):
    monkeypatch.setattr(stored_run, "ASSETS", tmp_path)
    (tmp_path / "runs" / "old").mkdir(parents=True)
    with pytest.raises(RunError, match="cancelled"):
        stored_run.make_stored_run(lambda run, execute: run.set_state(status="cancelled"))
    assert (tmp_path / "runs" / "old").is_dir()
