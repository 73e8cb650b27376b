"""Facts as plain strings: located in the answer, and one sentence where that is not clear."""

from __future__ import annotations

import json

import pytest

from tokenunlearn.datasets.facts import locate
from tokenunlearn.datasets.files import parse_samples
from tokenunlearn.datasets.layout import Layout
from tokenunlearn.datasets.notes import file_notes
from tokenunlearn.errors import DatasetError


def rows(*given: dict) -> bytes:
    return "\n".join(json.dumps({"question": "Who?", **row}, ensure_ascii=False) for row in given).encode()


@pytest.mark.parametrize(
    ("fact", "text", "places"),
    [
        ("Rome", "In Rome.", [(3, 7)]),
        (" Rome ", "In Rome.", [(3, 7)]),
        ("rome", "In Rome, rome", [(9, 13)]),
        ("ROME", "In Rome.", [(3, 7)]),
        ("art", "Martin", [(1, 4)]),
        ("art", "Martin, art, art", [(8, 11), (13, 16)]),
        ("東京", "首都は東京です", [(3, 5)]),
        ("Ærø", "På ærø", [(3, 6)]),
        ("Paris", "Rome", []),
        ("", "Rome", []),
    ],
)
def test_a_fact_is_located_as_a_whole_word_whatever_its_case(fact, text, places):
    assert locate(fact, text) == places


@pytest.mark.parametrize("name", ["fact", "facts", "secret", "span"])
def test_facts_are_plain_strings_in_jsonl(name):
    (sample,) = parse_samples(
        rows({"answer": "Ana Weiß lives in Köln.", name: ["Ana Weiß", "Köln"]}), "a.jsonl"
    )
    assert sample.facts == ("Ana Weiß", "Köln")


def test_facts_are_plain_strings_in_csv():
    content = "question,answer,fact\nWo?,In Köln.,Köln\nWer?,Ana,\n".encode()
    assert [s.facts for s in parse_samples(content, "a.csv")] == [("Köln",), ()]


def test_an_absent_fact_is_one_sentence():
    with pytest.raises(DatasetError, match=r'Line 1 of "a\.jsonl" has a "facts" "Bonn" that does not occur'):
        parse_samples(rows({"answer": "In Köln.", "facts": "Bonn"}), "a.jsonl")


def test_ignored_columns_and_repeated_facts_are_named():
    content = rows(
        {"answer": "Rome, Rome", "fact": "Rome", "date": 3, "source": "x"}, {"answer": "ab", "fact": "ab"}
    )
    ignored, repeated = file_notes(content, "a.jsonl")
    assert ignored == "Ignored columns: date, source."
    assert '"Rome" (line 1).' in repeated


def test_a_mapped_column_is_no_ignored_one():
    content = b"frage,answer\nWo?,Hier\n"
    assert file_notes(content, "a.csv", Layout.written("question=frage")) == []


def test_a_conversation_of_several_samples_names_its_columns():
    turns = [{"role": r, "content": "x"} for r in ("user", "assistant") * 2]
    content = json.dumps({"messages": turns, "tag": 1}).encode()
    assert file_notes(content, "a.jsonl", Layout(all_turns=True)) == ["Ignored columns: tag."]
