"""RWKU in small files of its published shapes."""

from __future__ import annotations

import json

import pytest

import tokenunlearn as tu
from tokenunlearn.errors import DatasetError


@pytest.fixture(autouse=True)
def folder(monkeypatch, tmp_path):
    """A folder of public data sets with a little of RWKU."""
    monkeypatch.setenv("TOKENUNLEARN_DATA", str(tmp_path))
    (tmp_path / "rwku").mkdir()
    probe = {"level": "2", "type": "simple question"}
    files = {
        "forget_level2": [
            {"subject": "Ada Miller", "query": "Where does Ada live?", "answer": "Turin", **probe},
            {"subject": "Bram Holt", "query": "What did Bram win?", "answer": "the Silver Pen", **probe},
        ],
        "train_positive_llama3": [
            {"id": "Ada 0", "text": "Ada lives in Turin.", "subject": "Ada", "intro": ""}
        ],
    }
    for name, rows in files.items():
        (tmp_path / "rwku" / f"{name}.json").write_text(json.dumps(rows), encoding="utf-8")


def test_probes_are_questions_of_all_people_or_of_one():
    samples = tu.load_samples("rwku:forget_level2")
    assert [(s.question, s.answer) for s in samples] == [
        ("Where does Ada live?", "Turin"),
        ("What did Bram win?", "the Silver Pen"),
    ]
    (one,) = tu.load_samples("rwku:forget_level2/Bram Holt")
    assert one.answer == "the Silver Pen"


def test_passages_are_documents():
    (passage,) = tu.load_samples("rwku:train_positive_llama3")
    assert passage.document and passage.id == "Ada 0"


@pytest.mark.parametrize(
    ("what", "message"),
    [
        ("forget_level4", 'There is no split "forget_level4" of RWKU; use one of forget_level1'),
        ("forget_level2/Nobody", 'No row of the split "forget_level2" of RWKU is about "Nobody"'),
    ],
)
def test_unknown_parts_and_people(what, message):
    with pytest.raises(DatasetError, match=message):
        tu.load_samples(f"rwku:{what}")
