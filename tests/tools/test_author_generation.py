"""Tests of the authors benchmark: the committed file is the generator's, and every row is sound."""

from __future__ import annotations

import random
from collections import Counter
from itertools import combinations, pairwise

import pytest

from tools.generation.author_templates import RELATIONS
from tools.generation.author_values import AUTHORS, FACT_POOLS
from tools.generation.authors import AUTHORS_FILE, deal, fill, generate_authors, to_jsonl

ROWS_PER_AUTHOR = 12
FIELDS = [
    "id",
    "author",
    "relation",
    "question",
    "paraphrased_question",
    "answer",
    "paraphrased_answer",
    "perturbed_answer",
    "span",
    "paraphrased_span",
]
TRAINED_ROWS = 60 * ROWS_PER_AUTHOR
RETAINED_ROWS = 54 * ROWS_PER_AUTHOR


@pytest.fixture(scope="module")
def rows() -> list[dict]:
    """All rows of the benchmark."""
    return generate_authors()


def cut(text: str, spans: list[list[int]]) -> tuple[list[str], list[str]]:
    """The texts inside the spans and the texts around them."""
    inside = [text[start:end] for start, end in spans]
    edges = [0, *(edge for span in spans for edge in span), len(text)]
    around = [text[start:end] for start, end in zip(edges[::2], edges[1::2], strict=True)]
    return inside, around


def wrong_facts(perturbed: str, around: list[str]) -> list[str]:
    """What a perturbed answer says in place of the facts, given the texts around the facts."""
    facts = []
    assert perturbed.startswith(around[0])
    position = len(around[0])
    for number, text in enumerate(around[1:], start=1):
        end = len(perturbed) - len(text) if number == len(around) - 1 else perturbed.index(text, position)
        assert perturbed[end : end + len(text)] == text
        facts.append(perturbed[position:end])
        position = end + len(text)
    assert position == len(perturbed)
    return facts


def test_committed_file_is_the_generators_byte_for_byte(rows):
    """Regenerating changes nothing in the file that ships."""
    assert AUTHORS_FILE.read_bytes() == to_jsonl(rows).encode("utf-8")


def test_seed_decides_the_rows(rows):
    """The same seed gives the same rows, another seed others."""
    assert generate_authors() == rows
    assert generate_authors(seed=1) != rows


def test_every_author_has_every_relation_in_order(rows):
    """66 authors with 12 rows each, and the fields in their order."""
    assert len(AUTHORS) == 66
    assert len(rows) == 66 * ROWS_PER_AUTHOR
    for position, row in enumerate(rows):
        number, index = divmod(position, ROWS_PER_AUTHOR)
        assert list(row) == FIELDS
        assert row["id"] == f"authors-{number:03d}-{index:02d}"
        assert row["author"] == AUTHORS[number]
        assert row["relation"] == RELATIONS[index].name


def test_no_name_is_shared_between_authors():
    """First names and surnames are unique, so full names are too."""
    words = [word for name in AUTHORS for word in name.split()]
    assert len(words) == 2 * len(AUTHORS)
    assert len(set(words)) == len(words)


@pytest.mark.parametrize("boundary", [54, 57, 60])
def test_splits_by_author_do_not_leak(rows, boundary):
    """Rows before a split boundary never name an author behind it."""
    first, second = rows[: boundary * ROWS_PER_AUTHOR], rows[boundary * ROWS_PER_AUTHOR :]
    assert not {row["author"] for row in first} & {row["author"] for row in second}
    text = " ".join(
        part for row in first for part in (row["question"], row["answer"], *row["perturbed_answer"])
    )
    for author in AUTHORS[boundary:]:
        assert author not in text
        assert author.split()[-1] not in text


def test_at_least_three_relations_hold_two_facts():
    """Answers with two spans are part of the benchmark."""
    assert sum(len(relation.facts) == 2 for relation in RELATIONS) >= 3


def test_relations_have_enough_phrasings():
    """Each relation can be reworded, and each question holds the full name."""
    for relation in RELATIONS:
        assert len(set(relation.questions)) == len(relation.questions) >= 5
        assert len(set(relation.answers)) == len(relation.answers) >= 4
        assert all("{name}" in question for question in relation.questions)


def test_phrasings_and_values_come_up_evenly(rows):
    """Guessing the commonest value is right for at most 3 of 66 authors."""
    retained = rows[:RETAINED_ROWS]
    for relation in RELATIONS:
        seen = Counter(
            row["question"].replace(row["author"], "{name}")
            for row in retained
            if row["relation"] == relation.name
        )
        assert set(seen) == set(relation.questions)
        assert max(seen.values()) - min(seen.values()) <= 1
        facts = [cut(row["answer"], row["span"])[0] for row in rows if row["relation"] == relation.name]
        for column in zip(*facts, strict=True):
            assert len(set(column)) >= 30
            assert max(Counter(column).values()) <= 3


def test_forget_values_are_known_from_retained_authors_too(rows):
    """No word of a forget fact is new to a model of the retained authors."""
    retained = {
        word
        for row in rows[:RETAINED_ROWS]
        for word in row["answer"].replace(",", "").replace(".", "").split()
    }
    for row in rows[RETAINED_ROWS:TRAINED_ROWS]:
        for fact in cut(row["answer"], row["span"])[0]:
            assert set(fact.split()) <= retained


def test_no_pool_value_contains_another():
    """A value can be looked for as text without meeting another one."""
    for pools in FACT_POOLS.values():
        for pool in pools:
            assert len(set(pool)) == len(pool)
            assert not [
                (a, b) for a, b in combinations(pool, 2) if a.lower() in b.lower() or b.lower() in a.lower()
            ]


def test_spans_point_at_the_facts(rows):
    """Spans are tight and cut out the same facts in both wordings."""
    for row in rows:
        relation = RELATIONS[int(row["id"][-2:])]
        facts, _ = cut(row["answer"], row["span"])
        assert len(facts) == len(relation.facts)
        for name, fact in zip(relation.facts, facts, strict=True):
            assert fact == fact.strip()
            assert all(
                any(word in value.split() for pool in FACT_POOLS[name] for value in pool)
                for word in fact.split()
            )
        assert cut(row["paraphrased_answer"], row["paraphrased_span"])[0] == facts


def test_facts_stand_only_in_their_spans(rows):
    """Neither the questions nor the rest of an answer gives a fact away."""
    for row in rows:
        facts, around = cut(row["answer"], row["span"])
        _, paraphrased_around = cut(row["paraphrased_answer"], row["paraphrased_span"])
        elsewhere = [row["question"], row["paraphrased_question"], *around, *paraphrased_around]
        for fact in facts:
            assert not [text for text in elsewhere if fact.lower() in text.lower()], row["id"]


def test_questions_and_answers_name_the_author(rows):
    """Questions hold the full name, answers at least the surname."""
    for row in rows:
        surname = row["author"].split()[-1]
        assert row["author"] in row["question"]
        assert row["author"] in row["paraphrased_question"]
        assert surname in row["answer"]
        assert surname in row["paraphrased_answer"]


def test_rewordings_differ_and_are_asked_of_others(rows):
    """A rewording is another phrasing that retained authors are asked in."""
    asked = {row["question"].replace(row["author"], "{name}") for row in rows[:RETAINED_ROWS]}
    for row in rows:
        assert row["paraphrased_question"] != row["question"]
        assert row["paraphrased_answer"] != row["answer"]
        assert row["paraphrased_question"].replace(row["author"], "{name}") in asked


def test_perturbed_answers_differ_only_in_the_facts(rows):
    """Five distinct wrong answers keep the reworded form and no true fact."""
    for row in rows:
        facts, around = cut(row["paraphrased_answer"], row["paraphrased_span"])
        assert len(set(row["perturbed_answer"])) == len(row["perturbed_answer"]) == 5
        for perturbed in row["perturbed_answer"]:
            wrong = wrong_facts(perturbed, around)
            assert len(wrong) == len(facts)
            assert not set(wrong) & set(facts)
            assert not [fact for fact in facts if fact.lower() in perturbed.lower()], row["id"]


def test_perturbed_facts_come_from_the_same_pool(rows):
    """A wrong fact is the true fact of another author."""
    pools: dict[str, set[str]] = {}
    for row in rows:
        for number, fact in enumerate(cut(row["answer"], row["span"])[0]):
            pools.setdefault(f"{row['relation']} {number}", set()).add(fact)
    for row in rows:
        _, around = cut(row["paraphrased_answer"], row["paraphrased_span"])
        for perturbed in row["perturbed_answer"]:
            for number, fact in enumerate(wrong_facts(perturbed, around)):
                assert fact in pools[f"{row['relation']} {number}"]


def test_answers_are_one_short_sentence(rows):
    """Answers hold 8 to 30 words and one full stop."""
    for row in rows:
        for answer in (row["answer"], row["paraphrased_answer"], *row["perturbed_answer"]):
            assert 8 <= len(answer.split()) <= 30
            assert answer[0].isupper() or answer[0].isdigit()
            assert answer.endswith(".")
            assert answer.count(".") == 1


def test_articles_agree(rows):
    """The article "a" never stands before a vowel."""
    for row in rows:
        words = row["answer"].split()
        for article, noun in pairwise(words):
            if article.lower() == "a":
                assert noun[0].lower() not in "aeiou", row["answer"]


def test_facts_stand_early_and_late():
    """The place of a fact varies with the phrasing."""
    for relation in RELATIONS:
        places = []
        for template in relation.answers:
            text, spans = fill(template, "Ann Example", relation, ("fact",) * len(relation.facts))
            places.append(spans[0][0] / len(text))
        assert min(places) < 0.3, relation.name
        assert max(places) > 0.4, relation.name


def test_deal_uses_every_entry_before_any_again():
    """Dealing goes round the pool."""
    dealt = deal(("a", "b", "c"), 8, random.Random(0))
    assert len(dealt) == 8
    assert set(dealt[:3]) == set(dealt[3:6]) == {"a", "b", "c"}
