"""Files of documents: what is read, and one sentence for each thing that is wrong."""

from __future__ import annotations

import json

import pytest

import tokenunlearn as tu
from tokenunlearn.datasets.documents import parse_documents
from tokenunlearn.datasets.samples import CHUNK_TOKENS
from tokenunlearn.errors import DatasetError


@pytest.mark.parametrize(
    ("name", "content", "texts"),
    [
        ("x.txt", "One.\n\nTwo é.", ["One.\n\nTwo é."]),
        ("x.jsonl", '{"text": "One."}\n{"text": "Two é.", "other": 1}\n', ["One.", "Two é."]),
        ("x.json", json.dumps([{"text": "One."}]), ["One."]),
        ("x.csv", 'text\n"One, two."\n', ["One, two."]),
        ("x.csv", "text\n" + "word " * 40_000 + "\n", ["word " * 40_000]),
    ],
)
def test_formats(tmp_path, name, content, texts):
    path = tmp_path / name
    path.write_text(content, encoding="utf-8", newline="")
    samples = tu.load_samples(f"documents:{path}")
    assert samples.name == f"documents:{path}" and [s.answer for s in samples] == texts
    assert [s.id for s in samples] == [f"x-{i:04d}" for i in range(len(texts))]
    assert all(s.document and s.question == "" and s.chunk_tokens == CHUNK_TOKENS for s in samples)


def test_ids_are_texts_or_whole_numbers():
    read = parse_documents(b'{"id": 0, "text": "a"}\n{"id": null, "text": "b"}', "x.jsonl")
    assert [sample.id for sample in read] == ["0", "x-0001"]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("x.txt", b" \n", 'The file "x.txt" is empty'),
        ("x.txt", b"\xff\xfe", 'The file "x.txt" is not UTF-8'),
        ("x.pdf", b"%PDF", "is not .jsonl"),
        ("x.jsonl", b'{"question": "a", "answer": "b"}', 'There is no column "text" in the file "x.jsonl"'),
        ("x.jsonl", b'{"text": "a"}\n{"text": " "}', 'Line 2 of "x.jsonl" has no "text"'),
        ("x.jsonl", b'{"text": 3}', 'of type int in "text", not text'),
        ("x.jsonl", rb'{"text": "\ud83d"}', "invalid character"),
        ("x.jsonl", rb'{"id": "\ud83d", "text": "a"}', '"id" with an invalid character'),
        ("x.jsonl", b'{"id": {"a": 1}, "text": "a"}', 'of type dict in "id", not text'),
    ],
)
def test_each_fault_has_its_own_sentence(name, content, message):
    with pytest.raises(DatasetError, match=message) as error:
        parse_documents(content, name)
    assert "\n" not in str(error.value) and str(error.value).endswith(".")


def test_missing_file():
    with pytest.raises(DatasetError, match=r'There is no file "none.txt"; give the path of a .txt'):
        tu.load_samples("documents:none.txt")
