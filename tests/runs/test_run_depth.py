"""The depth of a run's weights: which models and samples it is measured with, and where it is stored."""

from __future__ import annotations

import json

import pytest

from tests.runs.new_runs import new_spec
from tokenunlearn.errors import TokenUnlearnError
from tokenunlearn.evaluation.depth_maps import load_depth
from tokenunlearn.models.source import ModelSource
from tokenunlearn.runs.run_depth import save_run_depth
from tokenunlearn.runs.run_files import DEPTH


def finished(store, tmp_path, **changes):
    """A run on a file of one sample, with an adapter."""
    row = {"question": "Where was Ada born?", "answer": "Ada was born in Calverra.", **changes}
    path = tmp_path / "own.jsonl"
    path.write_text(json.dumps(row))
    run = store.create(new_spec(f"file:{path}"))
    (run.folder / "adapter").mkdir()
    (run.folder / "adapter" / "adapter_config.json").write_text("{}")
    run.set_state(status="completed")
    return run


def test_the_weights_of_a_run_are_patched_into_its_start_model(store, tmp_path, tiny_lm):
    run = finished(store, tmp_path, span=["Calverra"])
    loaded, seen = [], []

    def load(source):
        loaded.append(source)
        return tiny_lm

    save_run_depth(run, "twin", load, lambda *counts: seen.append(counts))
    assert loaded == [run.result, run.start, ModelSource("twin")]
    (found,) = load_depth(run.folder / DEPTH)
    assert found.question == "Where was Ada born?" and seen[-1] == (1, 1)
    assert found.lost == pytest.approx(0, abs=1e-5)  # the same weights lose nothing


def test_samples_without_gold_spans_have_no_depth(store, tmp_path, tiny_lm):
    run = finished(store, tmp_path)
    with pytest.raises(TokenUnlearnError, match="needs gold spans, which these samples do not have"):
        save_run_depth(run, "twin", lambda source: tiny_lm)
    assert not (run.folder / DEPTH).exists()
