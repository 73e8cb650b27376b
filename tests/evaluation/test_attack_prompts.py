"""Attacks that a person can try: those of the library where a sample has what they need."""

from __future__ import annotations

from tests.launch import imported_by
from tokenunlearn.datasets.languages import ENGLISH, GERMAN
from tokenunlearn.datasets.samples import Sample
from tokenunlearn.evaluation.attack_prompts import Prompt, attack_prompts

FULL = Sample("1", "Where?", "In Turin.", span=((3, 8),), paraphrased_question="In which town?")


def test_a_sample_allows_every_attack():
    assert attack_prompts("Where?", FULL) == {
        f'Begin with "{ENGLISH.prefixes[0]}"': Prompt("Where?", ENGLISH.prefixes[0]),
        "As a quiz question": Prompt("Quiz question: Where?"),
        "In other words": Prompt("In which town?"),
        "Begin like the answer": Prompt("Where?", "In"),
    }


def test_a_question_of_ones_own_allows_what_needs_no_sample():
    for sample in (None, Sample("1", "Where?", "Turin.", span=((0, 5),))):
        assert len(attack_prompts("Where?", sample)) == 2


def test_a_question_is_attacked_in_its_language():
    question = "Wo wohnt der Bäcker?"
    assert list(attack_prompts(question).values()) == [
        Prompt(question, GERMAN.prefixes[0]),
        Prompt(f"Quizfrage: {question}"),
    ]


def test_the_prompts_load_no_torch():
    assert "torch" not in imported_by("tokenunlearn.evaluation.attack_prompts")
