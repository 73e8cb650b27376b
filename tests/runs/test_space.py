"""A run that the disk cannot hold is refused before anything is scored or trained."""

import json
import shutil
from collections import namedtuple

import pytest

from tests.runs.new_runs import ROWS, new_spec
from tokenunlearn.errors import RunError
from tokenunlearn.runs.runner import execute
from tokenunlearn.runs.space import OTHER_FILES, check_space, stored_bytes
from tokenunlearn.runs.store import RunStore
from tokenunlearn.training.settings import UnlearnSettings

Usage = namedtuple("Usage", "total used free")


def test_all_weights_take_four_bytes_each_and_an_adapter_less(tiny_lm):
    full, lora = (
        stored_bytes(tiny_lm, UnlearnSettings.from_settings({"train": train})) - OTHER_FILES
        for train in ("full", "lora")
    )
    assert full == 4 * tiny_lm.model.num_parameters()
    assert 0 < lora < full


def test_a_full_disk_is_one_sentence_with_what_is_needed_and_free(tiny_lm, tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(10**9, 10**9 - 3_000_000, 3_000_000))
    sentence = rf'needs about 2\d MB in "{tmp_path}", but 3 MB are free; make room or choose another folder'
    with pytest.raises(RunError, match=sentence):
        check_space(tmp_path, tiny_lm, UnlearnSettings.from_settings({}))


def test_a_run_without_room_fails_before_it_scores(tiny_lm, tmp_path, monkeypatch):
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    spec = new_spec(f"file:{tmp_path / 'rows.jsonl'}", retain="", config={"regularizer": "none"})
    run = RunStore(tmp_path / "runs").create(spec)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(1, 1, 0))
    state = execute(run, lambda run: tiny_lm)
    assert state == run.state
    assert state.status == "failed" and "make room or choose another folder" in state.message
    assert run.scores is None and run.metrics == []
