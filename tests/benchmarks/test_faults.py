"""The faults are made and counted."""

import json

import numpy as np
import pytest

from benchmarks import faults
from tests.stored_run import write_run
from tokenunlearn.runs.store import RunStore


@pytest.fixture
def whole(tmp_path, tiny_lm):
    run = write_run(tmp_path / "runs", "20260101-100000-npo-hard-0001", "whole")
    tiny_lm.model.save_pretrained(run.folder / "adapter")
    (run.folder / "adapter" / "generation_config.json").unlink()
    (run.folder / "metrics.jsonl").write_text(json.dumps({"step": 1.0}) + "\n")
    run.set_state(status="completed")
    return run


def test_each_damaged_file_is_named_and_its_neighbor_is_as_before(whole):
    count = faults.damages(whole.folder)
    assert count.tried > 4 and count.recovered == count.tried
    assert count.wrong == count.lost == 0


def test_a_reader_that_misses_a_damage_is_counted(whole, monkeypatch):
    monkeypatch.setattr(faults, "examine", lambda store: [])
    monkeypatch.setattr(faults.Run, "damage", [])
    count = faults.damages(whole.folder)
    assert 0 < count.wrong < count.tried


def test_a_run_with_other_weights_is_lost(whole, monkeypatch):
    monkeypatch.setattr(faults, "started", lambda root, inside: type("Ended", (), {"wait": lambda self: 0})())
    monkeypatch.setattr(faults, "weights", lambda run: {"a": np.ones(2)})
    store = RunStore(whole.folder.parent)
    same, other = faults.Count("same"), faults.Count("other")
    faults.recover(store, same, {"a": np.ones(2)})
    faults.recover(store, other, {"a": np.full(2, 1.001)})
    assert (same.recovered, same.lost) == (1, 0)
    assert (other.recovered, other.lost) == (0, 1)
