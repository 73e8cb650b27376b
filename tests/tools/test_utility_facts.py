"""Tests of the utility sets: the committed files are the generator's, and every row is sound."""

from __future__ import annotations

import pytest

from tools.generation.authors import to_jsonl
from tools.generation.real_authors import REAL_AUTHOR_FACTS
from tools.generation.utility_facts import (
    REAL_AUTHORS_FILE,
    WORLD_FACTS_FILE,
    real_author_rows,
    world_fact_rows,
)
from tools.generation.world_facts import WORLD_FACTS

FIELDS = [
    "id",
    "question",
    "paraphrased_question",
    "answer",
    "paraphrased_answer",
    "perturbed_answer",
    "span",
    "paraphrased_span",
]
SETS = {
    "world_facts": (world_fact_rows(), list(WORLD_FACTS), WORLD_FACTS_FILE, 120),
    "real_authors": (real_author_rows(), [entry.fact for entry in REAL_AUTHOR_FACTS], REAL_AUTHORS_FILE, 66),
}
PAIRS = [
    pytest.param(row, entry, id=row["id"])
    for rows, entries, _, _ in SETS.values()
    for row, entry in zip(rows, entries, strict=True)
]


@pytest.mark.parametrize("name", SETS)
def test_committed_file_is_the_generators_byte_for_byte(name):
    rows, _, path, _ = SETS[name]
    assert path.read_bytes() == to_jsonl(rows).encode()


@pytest.mark.parametrize("name", SETS)
def test_rows_are_counted_and_numbered(name):
    rows, _, _, count = SETS[name]
    assert [row["id"] for row in rows] == [f"{name}-{number:03d}" for number in range(count)]


def test_questions_are_unique_within_and_across_the_sets():
    rows = [row for rows, _, _, _ in SETS.values() for row in rows]
    questions = [row[field] for row in rows for field in ("question", "paraphrased_question")]
    assert len(set(questions)) == len(questions)


@pytest.mark.parametrize(("row", "entry"), PAIRS)
def test_spans_hold_the_fact_and_nothing_else_tells_it(row, entry):
    assert list(row) == FIELDS
    for field, span_field in (("answer", "span"), ("paraphrased_answer", "paraphrased_span")):
        [[start, end]] = row[span_field]
        assert row[field][start:end] == entry.fact
        assert row[field].lower().count(entry.fact.lower()) == 1
        assert 6 <= len(row[field].split()) <= 20
        assert row[field][0].isupper()
        assert row[field].endswith(".")
    for field in ("question", "paraphrased_question"):
        assert entry.fact.lower() not in row[field].lower()
        assert row[field].endswith("?")


@pytest.mark.parametrize(("row", "entry"), PAIRS)
def test_perturbed_answers_differ_in_the_fact_alone(row, entry):
    [[start, end]] = row["paraphrased_span"]
    before, after = row["paraphrased_answer"][:start], row["paraphrased_answer"][end:]
    assert len(set(row["perturbed_answer"])) == 5
    for perturbed, wrong in zip(row["perturbed_answer"], entry.wrong, strict=True):
        assert perturbed == before + wrong + after
        assert entry.fact.lower() not in perturbed.lower()
        assert wrong[0].isupper() == entry.fact[0].isupper()


def test_writers_are_many_and_none_takes_a_large_share():
    writers = [entry.writer for entry in REAL_AUTHOR_FACTS]
    assert len(set(writers)) >= 35
    assert max(map(writers.count, writers)) <= 3


@pytest.mark.parametrize("entry", REAL_AUTHOR_FACTS)
def test_both_questions_name_the_writer(entry):
    surname = entry.writer.split()[-1]
    assert surname in entry.fact.question
    assert surname in entry.fact.paraphrased_question
