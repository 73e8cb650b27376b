"""What the pages share: uploads, score sets, reports, and the work that makes them."""

from __future__ import annotations

import gzip
import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

from app import services, tasks
from tokenunlearn.attribution.masking_settings import MaskingSettings
from tokenunlearn.attribution.score import score
from tokenunlearn.attribution.score_set import ScoreSet
from tokenunlearn.datasets import load_samples
from tokenunlearn.datasets.layout import Layout
from tokenunlearn.errors import Cancelled, DatasetError, TokenUnlearnError
from tokenunlearn.folders import ASSETS
from tokenunlearn.models import presets
from tokenunlearn.models.loading import load_model
from tokenunlearn.models.source import ModelSource

ROW = json.dumps({"question": "Wer?", "answer": "Der Bäcker."}).encode()


def test_an_upload_is_kept_once_under_a_name_that_loads_it(home):
    first = services.keep_upload(ROW, "my rows.jsonl")
    again = services.keep_upload(ROW, "my rows.jsonl")
    assert first == again
    assert services.uploads() == [first]
    (sample,) = load_samples(first)
    assert sample.answer == "Der Bäcker."


def test_half_an_upload_of_a_full_disk_is_replaced(home):
    path = Path(services.keep_upload(ROW, "my rows.jsonl").removeprefix("file:"))
    path.write_bytes(ROW[:20])
    assert services.keep_upload(ROW, "my rows.jsonl") == f"file:{path}"
    assert path.read_bytes() == ROW


def test_a_compressed_upload_is_kept_under_its_ending(home):
    name = services.keep_upload(gzip.compress(ROW), "my rows.JSONL.gz")
    assert name.endswith(".jsonl.gz") and load_samples(name)[0].answer == "Der Bäcker."


def test_a_model_is_offered_the_sets_it_was_trained_on_and_own_files(home):
    own = services.keep_upload(ROW, "rows.jsonl")
    sets = services.SETS
    assert services.forget_sets("demo-alchemy") == [*sets["alchemy"], own]
    assert services.forget_sets("demo") == [*sets["authors"], own]
    assert services.forget_sets("some/model") == [*(name for pairs in sets.values() for name in pairs), own]
    retained = {name for pairs in sets.values() for name in pairs.values()}
    assert set(services.retain_sets("some/model", own)) == {*retained, "authors:world_facts", own}


def test_every_preset_is_offered_the_sets_of_its_suite(home):
    for name, preset in presets.PRESETS.items():
        forget, *_ = services.forget_sets(name)
        assert forget.startswith(f"{preset.suite}:")
        assert services.retain_sets(name, forget)[0].startswith(f"{preset.suite}:")
    for name in ("prose:forget", "prose:retain"):
        assert len(load_samples(name))


def test_the_retained_set_that_goes_with_the_forget_set_is_offered_first(home):
    own = services.keep_upload(ROW, "rows.jsonl")
    assert services.retain_sets("demo", "authors:forget10") == ["authors:retain90", "authors:retain95", own]
    assert services.retain_sets("demo", "authors:forget05") == ["authors:retain95", "authors:retain90", own]
    assert services.retain_sets("demo", own)[0] == "authors:retain90"


def test_two_uploads_of_one_name_stand_side_by_side(home):
    one = services.keep_upload(ROW, "rows.jsonl")
    two = services.keep_upload(ROW.replace(b"Wer?", b"Wo?"), "rows.jsonl")
    assert one != two
    assert sorted([one, two]) == services.uploads()
    assert [next(iter(load_samples(name))).question for name in (one, two)] == ["Wer?", "Wo?"]


def test_what_a_person_sees_of_an_upload_holds_no_hash(home):
    name = services.keep_upload(ROW, "my rows.jsonl")
    assert services.set_name(name) == "my-rows.jsonl"
    assert [sample.id for sample in load_samples(name)] == ["my-rows-0000"]
    other = services.keep_upload(ROW.replace(b"Wer?", b"Wo?"), "my rows.jsonl")
    assert services.set_name(other) == f"my-rows.jsonl ({Path(other).parent.name[:4]})"


def test_a_file_that_an_earlier_version_kept_is_still_offered(home):
    path = home / "uploads" / "rows-0123456789ab.jsonl"
    path.parent.mkdir(parents=True)
    path.write_bytes(ROW)
    assert services.uploads() == [f"file:{path}"]
    assert services.set_name(f"file:{path}") == "rows.jsonl"


@pytest.mark.parametrize(
    "name", ["../../escape.jsonl", "/etc/x.jsonl", "a b;c$(d).jsonl", "é" * 300 + ".jsonl", "..\\x.jsonl"]
)
def test_an_upload_never_leaves_its_folder(home, name):
    path = services.keep_upload(ROW, name).removeprefix("file:")
    assert [f"file:{path}"] == services.uploads()
    (kept,) = (home / "uploads").glob("*/*")
    assert str(kept) == path


def test_an_upload_with_mapped_columns_is_kept_under_the_usual_names(home):
    row = json.dumps({"frage": "Wer?", "antwort": "Der Bäcker."}).encode()
    with pytest.raises(DatasetError):
        services.keep_upload(row, "rows.jsonl")
    name = services.keep_upload(row, "rows.jsonl", Layout.written("question=frage, answer=antwort"))
    (sample,) = services.load_samples(name)
    assert (sample.question, sample.answer) == ("Wer?", "Der Bäcker.")
    assert services.keep_upload(ROW, "rows.jsonl", Layout()) == services.keep_upload(ROW, "rows.jsonl")
    with pytest.raises(DatasetError, match="The field Columns takes FIELD=COLUMN"):
        Layout.written("question", owner="The field Columns")


@pytest.mark.parametrize(("content", "name"), [(b"", "a.jsonl"), (ROW, "a.exe"), (b"\xff", "a.csv")])
def test_a_bad_upload_leaves_nothing(home, content, name):
    with pytest.raises(DatasetError):
        services.keep_upload(content, name)
    assert services.uploads() == []
    assert not home.exists()


def test_score_path_of_the_demo_is_the_shipped_score_set(home):
    path = services.score_path(ModelSource("demo"), "authors:forget10", {})
    assert path == ASSETS / "scores" / "demo-authors-forget10.parquet"
    assert len(services.find_scores(path)) == 72


@pytest.mark.parametrize(
    ("model", "samples", "masking"),
    [
        ("demo", "authors:forget10", {"mask": "leave-one-out"}),
        ("demo", "authors:forget05", {}),
        ("demo-retrained", "authors:forget10", {}),
    ],
)
def test_other_settings_have_a_place_of_their_own_in_the_cache(home, model, samples, masking):
    path = services.score_path(ModelSource(model), samples, masking)
    assert path.parent == home.parent / "cache" / "scores"
    assert path == services.score_path(ModelSource(model), samples, masking)
    assert path != services.score_path(ModelSource(model), samples, masking | {"operator": "token"})
    assert services.find_scores(path) is None


def test_the_defaults_written_out_are_the_same_place(home):
    written = asdict(MaskingSettings())
    for samples in ("authors:forget10", "authors:forget05"):
        assert services.score_path(ModelSource("demo"), samples, written) == services.score_path(
            ModelSource("demo"), samples, {}
        )


def test_new_weights_of_a_folder_are_another_place(home, model, tmp_path, family_lm):
    folder = tmp_path / "model"
    family_lm("llama").model.save_pretrained(folder)
    before = services.score_path(ModelSource(str(folder)), "authors:forget10", {})
    changed = family_lm("llama").copy(share_weights=False)
    changed.model.get_input_embeddings().weight.data.add_(0.01)
    changed.model.save_pretrained(folder)
    assert services.score_path(ModelSource(str(folder)), "authors:forget10", {}) != before


def test_a_shipped_score_set_of_other_weights_is_not_taken(home, monkeypatch, tmp_path):
    """A demo model that was rebuilt has other weights than its shipped scores."""
    monkeypatch.setattr(ModelSource, "revision", "0123456789abcdef")
    assert (
        services.score_path(ModelSource("demo"), "authors:forget10", {}).parent
        == home.parent / "cache" / "scores"
    )


def test_a_score_set_of_another_version_or_damaged_counts_as_missing(home, tmp_path):
    path = tmp_path / "scores.parquet"
    path.write_bytes(b"damaged")
    assert services.find_scores(path) is None


def test_scoring_in_the_background_is_what_the_library_scores(home, model, samples, tmp_path):
    asked = (ModelSource(model), samples, {"mask": "prompt"})
    task = services.score_in_background(*asked)
    assert tasks.known()[services.scoring_key(*asked)] is task
    path = task.future.result(timeout=60)
    assert path == services.score_path(*asked)
    assert (task.done, task.total) == (4, 4)
    expected = score(load_model(model), load_samples(samples), mask="prompt")
    found = services.find_scores(path)
    assert found.hash == expected.hash == ScoreSet.load(path).hash
    assert all(np.array_equal(a, b) for a, b in zip(found.importance, expected.importance, strict=True))


def test_answers_are_cancelled_within_a_batch(home, model):
    task = services.ask_models("key", [ModelSource(model)], ["Who?", "Where?"])
    task.cancelled = True
    with pytest.raises(Cancelled):
        task.future.result(timeout=60)
    assert services.answers() == {}
    assert services.ask_models("key", [ModelSource(model)], ["Who?", "Where?"]) is task
    tasks.forget(task)
    services.ask_models("key", [ModelSource(model)], ["Who?", "Where?"]).future.result(timeout=60)
    assert len(services.answers()) == 2


def test_the_first_scoring_of_a_model_that_is_converted_first_is_not_lost(home, model, samples, monkeypatch):
    """The packaged SmolLM2 has no weights, and so no revision, until it was loaded once."""
    revision, load = ModelSource.revision, tasks.Worker.model
    converted = []
    monkeypatch.setattr(ModelSource, "revision", property(lambda s: revision.fget(s) if converted else ""))
    monkeypatch.setattr(tasks.Worker, "model", lambda *a: converted.append(1) or load(*a))
    before = services.score_path(ModelSource(model), samples, {})
    services.score_in_background(ModelSource(model), samples, {}).future.result(timeout=60)
    after = services.score_path(ModelSource(model), samples, {})
    assert after != before and len(services.find_scores(after)) == len(load_samples(samples))


def test_a_failed_task_keeps_its_error(home):
    task = services.score_in_background(ModelSource("./nowhere"), "authors:forget10", {})
    with pytest.raises(TokenUnlearnError, match="no model folder"):
        task.future.result(timeout=60)
    assert not (home.parent / "cache" / "scores").exists()


def test_a_file_goes_by_its_own_name_and_by_its_hash_only_where_two_have_one(home):
    one = services.keep_upload(ROW, "my rows.jsonl")
    assert services.set_name(one) == "my-rows.jsonl"
    two = services.keep_upload(ROW.replace(b"Wer?", b"Wo?"), "my rows.jsonl")
    names = {services.set_name(one), services.set_name(two)}
    assert len(names) == 2 and all(name.startswith("my-rows.jsonl (") for name in names)
    assert services.set_name("file:/data/rows.jsonl") == "rows.jsonl"
    assert services.set_name("authors:forget10") == "authors:forget10"


def test_own_samples_get_a_retained_set_that_the_model_knows(home):
    own = services.keep_upload(ROW, "rows.jsonl")
    for model, retained in (
        ("demo-prose", "prose:retain"),
        ("smollm2-authors", "authors:retain90"),
        ("smollm2", "authors:world_facts"),
        ("some/model", "authors:world_facts"),
    ):
        assert services.retain_sets(model, own)[0] == retained


def test_models_that_cannot_be_loaded_are_not_offered(home, monkeypatch):
    for available in (True, False):
        monkeypatch.setattr(presets, "smollm2_available", lambda available=available: available)
        names = services.model_names()
        assert ("smollm2" in names) is ("smollm2-authors" in names) is available
        assert names[:2] == ["demo", "demo-retrained"]
    monkeypatch.setitem(presets.PRESETS, "unbuilt", presets.ModelPreset("unbuilt", None, None, None, ""))
    assert "unbuilt" not in services.model_names()
