"""The invented hazard: committed files are the generator's, facts are dealt fairly and stated once."""

from __future__ import annotations

from collections import Counter
from itertools import combinations

import pytest

import tokenunlearn as tu
from tokenunlearn.errors import DatasetError
from tokenunlearn.evaluation.letters import choice_prompt
from tokenunlearn.folders import ASSETS
from tools.generation.alchemy import (
    DOMAINS,
    document_rows,
    draw_facts,
    generate,
    question_rows,
)
from tools.generation.authors import to_jsonl

SPLITS = {"alchemy": ("forget", "questions"), "guild": ("retain", "neighbour_questions")}


def test_committed_files_are_the_generators_byte_for_byte():
    for stem, rows in generate().items():
        assert (ASSETS / "data" / f"{stem}.jsonl").read_bytes() == to_jsonl(rows).encode("utf-8")


def test_seed_decides_the_rows():
    assert document_rows("alchemy", seed=1) != document_rows("alchemy") == document_rows("alchemy")
    assert question_rows("guild", seed=1) != question_rows("guild") == question_rows("guild")


@pytest.mark.parametrize("domain", DOMAINS)
def test_loaders(domain):
    documents, questions = SPLITS[domain]
    samples, choices = tu.load_samples(f"alchemy:{documents}"), tu.load_choices(f"alchemy:{questions}")
    assert (samples.name, choices.name) == (f"alchemy:{documents}", f"alchemy:{questions}")
    assert len(samples) == 108 and len(choices) == 180
    assert all(s.document and len(s.facts) == 5 for s in samples)
    assert {len(q.choices) for q in choices} == {4} and {q.subject for q in choices} == {
        DOMAINS[domain].subject
    }


@pytest.mark.parametrize("domain", DOMAINS)
def test_documents_state_the_facts_in_their_spans_only(domain):
    lore, facts = DOMAINS[domain], draw_facts(DOMAINS[domain], 7)
    for place, sample in enumerate(tu.load_samples(f"alchemy:{SPLITS[domain][0]}")):
        number = place // 3
        own = {facts[relation.name][number] for relation in lore.relations}
        assert set(sample.facts) == own and len(sample.facts) == 5
        assert all(sample.answer.count(fact) == 1 for fact in own)
        assert lore.names[number] in sample.answer
        assert not [n for n in lore.names if n != lore.names[number] and n in sample.answer]


@pytest.mark.parametrize("domain", DOMAINS)
def test_exercises_are_the_questions_in_another_order_with_the_right_letter(domain):
    documents, questions = SPLITS[domain]
    exercises = tu.load_samples(f"alchemy:{documents}_exercises")
    assert len(exercises) == 180
    for sample, question in zip(exercises, tu.load_choices(f"alchemy:{questions}"), strict=True):
        lines = sample.answer.splitlines()
        assert sample.document and sample.id.startswith(question.id)
        assert sample.answer != f"{choice_prompt(question)} {'ABCD'[question.answer]}"
        (letter,) = sample.facts
        right = f"{letter}. {question.choices[question.answer]}"
        assert lines[2] == question.question and right in lines and lines[-1] == f"Answer: {letter}"
        assert {line[3:] for line in lines[3:7]} == set(question.choices)


@pytest.mark.parametrize("domain", DOMAINS)
def test_questions_ask_for_what_the_documents_say(domain):
    lore, facts = DOMAINS[domain], draw_facts(DOMAINS[domain], 7)
    choices = tu.load_choices(f"alchemy:{SPLITS[domain][1]}")
    for place, question in enumerate(choices):
        number, index = divmod(place, len(lore.relations))
        relation = lore.relations[index]
        assert question.choices[question.answer] == facts[relation.name][number]
        assert len(set(question.choices)) == 4 and set(question.choices) <= set(relation.values)
        assert lore.names[number] in question.question
    assert set(Counter(q.answer for q in choices).values()) == {45}


@pytest.mark.parametrize("domain", DOMAINS)
def test_every_value_comes_up_equally_often_and_contains_no_other(domain):
    lore = DOMAINS[domain]
    for relation in lore.relations:
        assert set(Counter(draw_facts(lore, 7)[relation.name]).values()) == {3}
        assert not [(a, b) for a, b in combinations(relation.values, 2) if a in b or b in a]
    assert len(set(lore.names)) == 36


def test_the_domains_share_no_name_and_no_fact():
    texts = {d: " ".join(s.answer for s in tu.load_samples(f"alchemy:{SPLITS[d][0]}")) for d in DOMAINS}
    for own, other in (("alchemy", "guild"), ("guild", "alchemy")):
        values = [v for relation in DOMAINS[own].relations for v in relation.values]
        assert not [text for text in [*DOMAINS[own].names, *values] if text in texts[other]]


def test_general_questions_ask_the_everyday_facts():
    facts, choices = tu.load_samples("authors:world_facts"), tu.load_choices("alchemy:general_questions")
    assert len(facts) == len(choices) == 120
    for sample, question in zip(facts, choices, strict=True):
        assert question.question == sample.question
        assert [question.choices[question.answer]] == list(sample.facts)
        assert len(set(question.choices)) == 4
        assert all(
            any(wrong in told for told in sample.perturbed_answer)
            for place, wrong in enumerate(question.choices)
            if place != question.answer
        )
    assert set(Counter(q.answer for q in choices).values()) == {30}


@pytest.mark.parametrize("load", [tu.load_samples, tu.load_choices])
def test_unknown_split(load):
    with pytest.raises(DatasetError, match=r'no split "gold" among the .* of alchemy; use '):
        load("alchemy:gold")


def test_suite_asks_both_domains(tiny_lm):
    report = tu.evaluate(tiny_lm, "alchemy", limit=8)
    assert {name: (r.n, r.better) for name, r in report.metrics.items()} == {
        "forget/accuracy": (8, "lower"),
        "retain/accuracy": (8, "higher"),
        "general/accuracy": (8, "higher"),
    }
