"""Score sets: where they are kept, and scoring on the worker."""

from __future__ import annotations

from dataclasses import asdict, replace

import numpy as np
import pytest

from app import score_sets, tasks
from tokenunlearn.attribution.masking_settings import MaskingSettings
from tokenunlearn.attribution.score import score
from tokenunlearn.attribution.score_set import ScoreSet
from tokenunlearn.datasets import load_samples
from tokenunlearn.errors import TokenUnlearnError
from tokenunlearn.folders import ASSETS
from tokenunlearn.models.loading import load_model
from tokenunlearn.models.source import ModelSource


def test_score_path_of_the_demo_is_the_shipped_score_set(home):
    path = score_sets.score_path(ModelSource("demo"), "authors:forget10", {})
    assert path == ASSETS / "scores" / "demo-authors-forget10.parquet"
    assert len(score_sets.find_scores(path)) == 72


@pytest.mark.parametrize(
    ("model", "samples", "masking"),
    [
        ("demo", "authors:forget10", {"mask": "leave-one-out"}),
        ("demo", "authors:forget05", {}),
        ("demo-retrained", "authors:forget10", {}),
    ],
)
def test_other_settings_have_a_place_of_their_own_in_the_cache(home, model, samples, masking):
    path = score_sets.score_path(ModelSource(model), samples, masking)
    assert path.parent == home.parent / "cache" / "scores"
    assert path == score_sets.score_path(ModelSource(model), samples, masking)
    assert path != score_sets.score_path(ModelSource(model), samples, masking | {"operator": "token"})
    assert score_sets.find_scores(path) is None


def test_the_defaults_written_out_are_the_same_place(home):
    written = asdict(MaskingSettings())
    for samples in ("authors:forget10", "authors:forget05"):
        assert score_sets.score_path(ModelSource("demo"), samples, written) == score_sets.score_path(
            ModelSource("demo"), samples, {}
        )


def test_new_weights_of_a_folder_are_another_place(home, model, tmp_path, family_lm):
    folder = tmp_path / "model"
    family_lm("llama").model.save_pretrained(folder)
    before = score_sets.score_path(ModelSource(str(folder)), "authors:forget10", {})
    changed = family_lm("llama").copy(share_weights=False)
    changed.model.get_input_embeddings().weight.data.add_(0.01)
    changed.model.save_pretrained(folder)
    assert score_sets.score_path(ModelSource(str(folder)), "authors:forget10", {}) != before


def test_a_shipped_score_set_of_other_weights_is_not_taken(home, monkeypatch, tmp_path):
    """A demo model that was rebuilt has other weights than its shipped scores."""
    monkeypatch.setattr(ModelSource, "revision", "0123456789abcdef")
    assert (
        score_sets.score_path(ModelSource("demo"), "authors:forget10", {}).parent
        == home.parent / "cache" / "scores"
    )


def test_a_score_set_of_another_version_or_damaged_counts_as_missing(home, tmp_path):
    path = tmp_path / "scores.parquet"
    path.write_bytes(b"damaged")
    assert score_sets.find_scores(path) is None


def test_a_kept_score_set_goes_once_its_samples_or_prompts_have_changed(home, tiny_lm, samples):
    path, forget = score_sets.score_path(ModelSource("demo"), samples, {}), load_samples(samples)
    score(tiny_lm, forget).save(path)
    score_sets.drop_changed(path, tiny_lm, forget)
    assert score_sets.find_scores(path)
    score_sets.drop_changed(path, replace(tiny_lm, system_prompt="Today is another day."), forget)
    assert score_sets.find_scores(path) is None


def test_a_shipped_score_set_is_never_removed(home, tiny_lm, samples):
    path = score_sets.score_path(ModelSource("demo"), "authors:forget10", {})
    score_sets.drop_changed(path, tiny_lm, load_samples(samples))
    assert path.exists()


def test_scoring_in_the_background_is_what_the_library_scores(home, model, samples, tmp_path):
    asked = (ModelSource(model), samples, {"mask": "prompt"})
    task = score_sets.score_in_background(*asked)
    assert tasks.known()[score_sets.scoring_key(*asked)] is task
    path = task.future.result(timeout=60)
    assert path == score_sets.score_path(*asked)
    assert (task.done, task.total) == (4, 4)
    expected = score(load_model(model), load_samples(samples), mask="prompt")
    found = score_sets.find_scores(path)
    assert found.hash == expected.hash == ScoreSet.load(path).hash
    assert all(np.array_equal(a, b) for a, b in zip(found.importance, expected.importance, strict=True))


def test_the_first_scoring_of_a_model_that_is_converted_first_is_not_lost(home, model, samples, monkeypatch):
    """The packaged SmolLM2 has no weights, and so no revision, until it was loaded once."""
    revision, load = ModelSource.revision, tasks.Worker.model
    converted = []
    monkeypatch.setattr(ModelSource, "revision", property(lambda s: revision.fget(s) if converted else ""))
    monkeypatch.setattr(tasks.Worker, "model", lambda *a: converted.append(1) or load(*a))
    before = score_sets.score_path(ModelSource(model), samples, {})
    score_sets.score_in_background(ModelSource(model), samples, {}).future.result(timeout=60)
    after = score_sets.score_path(ModelSource(model), samples, {})
    assert after != before and len(score_sets.find_scores(after)) == len(load_samples(samples))


def test_a_failed_task_keeps_its_error(home):
    task = score_sets.score_in_background(ModelSource("./nowhere"), "authors:forget10", {})
    with pytest.raises(TokenUnlearnError, match="no model folder"):
        task.future.result(timeout=60)
    assert not (home.parent / "cache" / "scores").exists()
