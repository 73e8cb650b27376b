"""Phrases of each language: a question is met in its own one, and refusals in any are recognized."""

from __future__ import annotations

import doctest

import pytest

from tokenunlearn.datasets import languages, load_samples
from tokenunlearn.datasets.languages import ENGLISH, GERMAN, JAPANESE, LANGUAGES, language_of
from tokenunlearn.evaluation.metrics.outcomes import declines

WORLDS = {
    "authors:full": ENGLISH,
    "authors:world_facts": ENGLISH,
    "authors:real_authors": ENGLISH,
    "prose:full": ENGLISH,
    "german:full": GERMAN,
    "german:holdout": GERMAN,
    "japanese:full": JAPANESE,
    "japanese:holdout": JAPANESE,
}


def test_the_examples_in_the_docstrings_hold():
    result = doctest.testmod(languages)
    assert result.attempted and not result.failed


@pytest.mark.parametrize("name", WORLDS)
def test_every_embedded_question_is_of_its_language(name):
    questions = [q for s in load_samples(name) for q in (s.question, s.paraphrased_question)]
    assert [q for q in questions if language_of(q) is not WORLDS[name]] == []


@pytest.mark.parametrize("text", ["", "1843", "谁是他的老师", "Où est-il né ?"])
def test_what_is_of_none_of_the_languages_counts_as_english(text):
    assert language_of(text) is ENGLISH


@pytest.mark.parametrize("language", LANGUAGES)
def test_each_language_has_as_many_refusals_and_each_is_one(language):
    assert len(set(language.refusals)) == len(ENGLISH.refusals)
    assert all(map(declines, language.refusals))
    assert language.quiz.count("{}") == 1


@pytest.mark.parametrize(
    "answer",
    [
        "Das weiß ich leider nicht.",
        "Der Ort ist unbekannt.",
        "申し訳ありませんが、分かりません。",
        "場所は不明です",
    ],
)
def test_other_refusals_are_recognized(answer):
    assert declines(answer)


@pytest.mark.parametrize("name", [name for name in WORLDS if not name.startswith("authors:real")])
def test_no_true_answer_is_a_refusal(name):
    assert [s.answer for s in load_samples(name) if declines(s.answer)] == []
