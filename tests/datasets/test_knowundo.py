"""KnowUnDo in small files of its published shape: one row that holds all questions of a split."""

from __future__ import annotations

import json

import pytest

import tokenunlearn as tu
from tokenunlearn.errors import DatasetError

ROW = {
    "train": [
        {"text": "Who wrote it?", "labels": "Ada Miller."},
        {"text": "Where is it set?", "labels": "In Turin."},
    ],
    "val": [{"text": "Who is its author?", "labels": "Ada Miller."}],
}


@pytest.fixture
def file(monkeypatch, tmp_path):
    """The file of one split in a folder of public data sets."""
    monkeypatch.setenv("TOKENUNLEARN_DATA", str(tmp_path))
    path = tmp_path / "knowundo/copyright/unlearn.json"
    path.parent.mkdir(parents=True)
    return path


def test_parts_of_a_split(file):
    file.write_text(json.dumps([ROW]), encoding="utf-8")
    samples = tu.load_samples("knowundo:copyright/unlearn")
    assert [(s.question, s.answer) for s in samples] == [
        ("Who wrote it?", "Ada Miller."),
        ("Where is it set?", "In Turin."),
    ]
    assert samples[1].id == "knowundo-copyright-unlearn-train-0001"
    (check,) = tu.load_samples("knowundo:copyright/unlearn/val")
    assert check.question == "Who is its author?"


@pytest.mark.parametrize("what", ["copyright", "copyright/forget", "music/unlearn", "copyright/unlearn/test"])
def test_unknown_splits(what):
    with pytest.raises(DatasetError, match=f'There is no "{what}" in KnowUnDo; use copyright/unlearn'):
        tu.load_samples(f"knowundo:{what}")


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([{"text": "Who?", "labels": "Ada."}], 'has no list of questions in "train"'),
        ([{"train": ["Who?"]}], 'has no list of questions in "train"'),
        ([{"train": [{"text": "Who?"}]}], 'There is no column "labels" in KnowUnDo\'s copyright unlearn'),
    ],
)
def test_other_shapes_are_refused(file, rows, message):
    file.write_text(json.dumps(rows), encoding="utf-8")
    with pytest.raises(DatasetError, match=message):
        tu.load_samples("knowundo:copyright/unlearn")
