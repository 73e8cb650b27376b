"""Sample sets: uploads, names, what is offered with which model."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from app import sample_sets
from tokenunlearn.datasets import load_samples
from tokenunlearn.datasets.layout import Layout
from tokenunlearn.errors import DatasetError
from tokenunlearn.models import presets

ROW = json.dumps({"question": "Wer?", "answer": "Der Bäcker."}).encode()


def test_an_upload_is_kept_once_under_a_name_that_loads_it(home):
    first = sample_sets.keep_upload(ROW, "my rows.jsonl")
    again = sample_sets.keep_upload(ROW, "my rows.jsonl")
    assert first == again
    assert sample_sets.uploads() == [first]
    (sample,) = load_samples(first)
    assert sample.answer == "Der Bäcker."


def test_documents_that_are_uploaded_with_columns_stay_documents(home):
    name = sample_sets.keep_upload(b"body\nThe mason sings.\n", "texts.csv", Layout({"text": "body"}))
    (sample,) = load_samples(name)
    assert sample.document and sample.answer == "The mason sings."


def test_half_an_upload_of_a_full_disk_is_replaced(home):
    path = Path(sample_sets.keep_upload(ROW, "my rows.jsonl").removeprefix("file:"))
    path.write_bytes(ROW[:20])
    assert sample_sets.keep_upload(ROW, "my rows.jsonl") == f"file:{path}"
    assert path.read_bytes() == ROW


def test_a_compressed_upload_is_kept_under_its_ending(home):
    name = sample_sets.keep_upload(gzip.compress(ROW), "my rows.JSONL.gz")
    assert name.endswith(".jsonl.gz") and load_samples(name)[0].answer == "Der Bäcker."


def test_a_model_is_offered_the_sets_it_was_trained_on_and_own_files(home):
    own = sample_sets.keep_upload(ROW, "rows.jsonl")
    sets = sample_sets.SETS
    assert sample_sets.forget_sets("demo-alchemy") == [*sets["alchemy"], own]
    assert sample_sets.forget_sets("demo") == [*sets["authors"], own]
    assert sample_sets.forget_sets("some/model") == [
        *(name for pairs in sets.values() for name in pairs),
        own,
    ]
    retained = {name for pairs in sets.values() for name in pairs.values()}
    assert set(sample_sets.retain_sets("some/model", own)) == {*retained, "authors:world_facts", own}


def test_every_preset_is_offered_the_sets_of_its_suite(home):
    for name, preset in presets.PRESETS.items():
        forget, *_ = sample_sets.forget_sets(name)
        assert forget.startswith(f"{preset.suite}:")
        assert sample_sets.retain_sets(name, forget)[0].startswith(f"{preset.suite}:")
    for name in ("prose:forget", "prose:retain"):
        assert len(load_samples(name))


def test_the_retained_set_that_goes_with_the_forget_set_is_offered_first(home):
    own = sample_sets.keep_upload(ROW, "rows.jsonl")
    assert sample_sets.retain_sets("demo", "authors:forget10") == [
        "authors:retain90",
        "authors:retain95",
        own,
    ]
    assert sample_sets.retain_sets("demo", "authors:forget05") == [
        "authors:retain95",
        "authors:retain90",
        own,
    ]
    assert sample_sets.retain_sets("demo", own)[0] == "authors:retain90"


def test_two_uploads_of_one_name_stand_side_by_side(home):
    one = sample_sets.keep_upload(ROW, "rows.jsonl")
    two = sample_sets.keep_upload(ROW.replace(b"Wer?", b"Wo?"), "rows.jsonl")
    assert one != two
    assert sorted([one, two]) == sample_sets.uploads()
    assert [next(iter(load_samples(name))).question for name in (one, two)] == ["Wer?", "Wo?"]


def test_what_a_person_sees_of_an_upload_holds_no_hash(home):
    name = sample_sets.keep_upload(ROW, "my rows.jsonl")
    assert sample_sets.set_name(name) == "my-rows.jsonl"
    assert [sample.id for sample in load_samples(name)] == ["my-rows-0000"]
    other = sample_sets.keep_upload(ROW.replace(b"Wer?", b"Wo?"), "my rows.jsonl")
    assert sample_sets.set_name(other) == f"my-rows.jsonl ({Path(other).parent.name[:4]})"
    assert sample_sets.set_name(name) == "my-rows.jsonl"


def test_a_file_that_an_earlier_version_kept_is_still_offered(home):
    path = home / "uploads" / "rows-0123456789ab.jsonl"
    path.parent.mkdir(parents=True)
    path.write_bytes(ROW)
    assert sample_sets.uploads() == [f"file:{path}"]
    assert sample_sets.set_name(f"file:{path}") == "rows.jsonl"


@pytest.mark.parametrize(
    "name", ["../../escape.jsonl", "/etc/x.jsonl", "a b;c$(d).jsonl", "é" * 300 + ".jsonl", "..\\x.jsonl"]
)
def test_an_upload_never_leaves_its_folder(home, name):
    path = sample_sets.keep_upload(ROW, name).removeprefix("file:")
    assert [f"file:{path}"] == sample_sets.uploads()
    (kept,) = (home / "uploads").glob("*/*")
    assert str(kept) == path


def test_an_upload_with_mapped_columns_is_kept_under_the_usual_names(home):
    row = json.dumps({"frage": "Wer?", "antwort": "Der Bäcker."}).encode()
    with pytest.raises(DatasetError):
        sample_sets.keep_upload(row, "rows.jsonl")
    name = sample_sets.keep_upload(row, "rows.jsonl", Layout.written("question=frage, answer=antwort"))
    (sample,) = sample_sets.load_samples(name)
    assert (sample.question, sample.answer) == ("Wer?", "Der Bäcker.")
    assert sample_sets.keep_upload(ROW, "rows.jsonl", Layout()) == sample_sets.keep_upload(ROW, "rows.jsonl")
    with pytest.raises(DatasetError, match="The field Columns takes FIELD=COLUMN"):
        Layout.written("question", owner="The field Columns")


@pytest.mark.parametrize(("content", "name"), [(b"", "a.jsonl"), (ROW, "a.exe"), (b"\xff", "a.csv")])
def test_a_bad_upload_leaves_nothing(home, content, name):
    with pytest.raises(DatasetError):
        sample_sets.keep_upload(content, name)
    assert sample_sets.uploads() == []
    assert not home.exists()


def test_the_first_file_of_a_name_keeps_it_when_a_second_one_comes(home):
    one = sample_sets.keep_upload(ROW, "my rows.jsonl")
    assert sample_sets.set_name(one) == "my-rows.jsonl"
    digests = set()
    for question in (b"Wo?", b"Wann?", b"Wie?"):
        other = sample_sets.keep_upload(ROW.replace(b"Wer?", question), "my rows.jsonl")
        digests.add(sample_sets.set_name(other).removeprefix("my-rows.jsonl (").removesuffix(")"))
        assert sample_sets.set_name(one) == "my-rows.jsonl"
    assert len(digests) == 3 and all(len(digest) == 4 for digest in digests)
    gone = Path(other[5:])
    gone.unlink()
    assert sample_sets.set_name(other) != "my-rows.jsonl"
    assert sample_sets.set_name("file:/data/rows.jsonl") == "rows.jsonl"
    assert sample_sets.set_name("authors:forget10") == "authors:forget10"


def test_own_samples_get_a_retained_set_that_the_model_knows(home):
    own = sample_sets.keep_upload(ROW, "rows.jsonl")
    for model, retained in (
        ("demo-prose", "prose:retain"),
        ("smollm2-authors", "authors:retain90"),
        ("smollm2", "authors:world_facts"),
        ("some/model", "authors:world_facts"),
    ):
        assert sample_sets.retain_sets(model, own)[0] == retained
