"""MUSE in small files of its published shapes."""

from __future__ import annotations

import json

import datasets
import pytest

import tokenunlearn as tu
from tokenunlearn.errors import DatasetError


@pytest.fixture
def folder(monkeypatch, tmp_path):
    """A folder of public data sets with a little of MUSE."""
    monkeypatch.setenv("TOKENUNLEARN_DATA", str(tmp_path))
    files = {
        "news/raw/forget": [{"text": "The mason moved to Turin."}, {"text": "The miller sings."}],
        "news/sust/forget_1": ["The mason moved to Turin."],
        "books/knowmem/forget_qa": [{"question": "Who sings?", "answer": "the miller"}],
        "books/verbmem/forget": [{"prompt": "The mason moved", "gt": "to Turin."}],
    }
    for name, rows in files.items():
        path = tmp_path / "muse" / f"{name}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(rows), encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize(
    ("name", "question", "answer", "count"),
    [
        ("muse:news/forget", "", "The mason moved to Turin.", 2),
        ("muse:news/raw/forget", "", "The mason moved to Turin.", 2),
        ("muse:news/sust/forget_1", "", "The mason moved to Turin.", 1),
        ("muse:books/knowmem/forget_qa", "Who sings?", "the miller", 1),
        ("muse:books/verbmem/forget", "The mason moved", "to Turin.", 1),
    ],
)
def test_splits(folder, name, question, answer, count):
    samples = tu.load_samples(name)
    assert samples.name == name and len(samples) == count
    assert (samples[0].question, samples[0].answer) == (question, answer)
    assert samples[0].document == (not question)
    assert samples[0].id.startswith("muse-") and samples[0].id.endswith("-0000")


@pytest.mark.parametrize(
    "what", ["news", "news/forget10", "papers/forget", "news/knowmem/forget", "news/raw/x/y"]
)
def test_unknown_splits(what):
    with pytest.raises(DatasetError, match=f'There is no "{what}" in MUSE; use news/forget'):
        tu.load_samples(f"muse:{what}")


def test_a_missing_file_is_asked_of_the_hub(folder, monkeypatch):
    def load_dataset(*names, split):
        assert (*names, split) == ("muse-bench/MUSE-News", "raw", "retain1")
        return datasets.Dataset.from_list([{"text": "The baker bakes."}])

    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    assert tu.load_samples("muse:news/retain1")[0].answer == "The baker bakes."
