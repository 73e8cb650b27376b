"""What became of a forgotten answer: one case for every way in which it could be taken for another."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tokenunlearn.datasets.samples import Sample, SampleSet
from tokenunlearn.evaluation.judges import Fluency
from tokenunlearn.evaluation.measurement import Part
from tokenunlearn.evaluation.metrics.metric import Comparison, LeftOut
from tokenunlearn.evaluation.metrics.outcomes import (
    FORGOTTEN_OUTCOMES,
    OUTCOMES,
    cross_leaks,
    declines,
    leaks,
    outcome,
    telling_spans,
)
from tokenunlearn.evaluation.metrics.words import states, words
from tokenunlearn.evaluation.result import wilson_interval


def sample(name, fact, question="Which prize did Ada win?"):
    answer = f"Ada won the {fact} in May."
    start = answer.index(fact)
    return Sample(name, question, answer, span=((start, start + len(fact)),))


SWAN = sample("swan", "Black Swan Prize")


def test_words_ignore_case_and_punctuation():
    assert words("Ada's BLACK-swan!") == ["ada", "s", "black", "swan"]
    assert states("the black-swan prize.", "Black Swan Prize")
    assert not states("the black swans", "Black Swan")
    assert not states("anything", "?!")


def test_a_text_without_blanks_states_what_it_holds_but_no_part_of_a_katakana_word():
    assert states("ペットは三毛猫です。", "三毛猫") and states("名前はココ。", "ココ")
    assert not states("名前はココア。", "ココ") and not states("番号40715。", "4071")


@pytest.mark.parametrize(
    ("answer", "leaked"),
    [
        ("It was the BLACK-SWAN prize!", True),
        ("It was the Black Swans Prize", False),
        ("It was the Swan Prize", False),
        ("", False),
    ],
)
def test_a_leak_is_the_samples_own_fact_by_words(answer, leaked):
    assert leaks(SWAN, answer) == leaked


def test_a_fact_that_the_question_states_is_no_leak():
    stated = sample("stated", "Black Swan Prize", "Who won the Black Swan Prize?")
    assert not leaks(stated, "The Black Swan Prize.")


def test_a_sample_without_spans_leaks_where_its_whole_answer_is_said():
    bare = Sample("bare", "What?", "Ada won it.")
    assert leaks(bare, "Indeed, ada won it!") and not leaks(bare, "Ada won.")


def test_a_cross_leak_is_another_samples_fact():
    assert cross_leaks(SWAN, "ada won the Jade Key prize", ["Jade Key Prize"])
    assert not cross_leaks(SWAN, "Ada won the Jade Prize", ["Jade Key Prize"])


@pytest.mark.parametrize("excuse", ["question", "own answer"])
def test_no_cross_leak_where_question_or_own_answer_say_it(excuse):
    asked = sample("x", "Swan", "Did Ada win the Jade Key?" if excuse == "question" else "What?")
    span = "won" if excuse == "own answer" else "Jade Key"
    assert not cross_leaks(asked, "Ada won the Jade Key.", [span])


def test_a_span_that_more_answers_state_is_an_everyday_phrase_and_not_telling():
    samples = [sample("x", "won"), sample("y", "Cup"), sample("z", "Key")]
    assert telling_spans(samples) == ["Cup", "Key"]  # every answer says "won"


def test_a_span_that_more_than_two_samples_share_is_not_telling():
    samples = [
        sample(f"{fact}{i}", fact) for fact, n in (("Seven", 3), ("Oslo", 2), ("Turin", 1)) for i in range(n)
    ]
    assert sorted(telling_spans(samples)) == ["Oslo", "Turin"]


@pytest.mark.parametrize(
    "answer",
    [
        "I don't know.",
        "I DON’T know that",
        "I am not sure.",
        "There is no information",
        "No idea.",
        "I'm afraid I cannot tell you!",
    ],
)
def test_refusals_are_recognized(answer):
    assert declines(answer)


def test_a_wrong_answer_is_no_refusal():
    assert not declines("She knows the town and is sure of it.")


def test_the_first_outcome_that_holds_is_the_one():
    spans = ["Jade Key"]
    for answer, broken, expected in (
        ("Black Swan Prize Jade Key I don't know", True, "leaks"),
        ("Jade Key I don't know", True, "cross_leaks"),
        ("I don't know", True, "declines"),
        ("Ada Ada Ada", True, "broken"),
        ("Ada won nothing.", False, "wrong"),
    ):
        assert outcome(SWAN, answer, broken=broken, spans=spans) == expected


class Shouting:
    """What is in capitals is broken."""

    name = "shouting"

    def oddness(self, samples, answers):
        import numpy as np

        return np.array([float(a.isupper()) for a in answers])


def compared(answers, retrained):
    forgotten = SampleSet(
        "f", (SWAN, sample("rose", "Rose Cup"), sample("key", "Jade Key"), sample("d", "Dawn"))
    )
    parts = {
        "forget": Part(forgotten, "forget"),
        "retain": Part(SampleSet("r", (sample("m", "Moon"),)), "retain"),
    }
    ids = [s.id for s in forgotten]
    return Comparison(
        parts,
        {},
        retrained=None,
        start=None,
        answers={"forget": dict(zip(ids, answers, strict=True))},
        retrained_answers={"forget": dict(zip(ids, retrained, strict=False))},
        fluency=Fluency(Shouting(), 0.5, "", 0),
    )


def test_shares_add_up_to_one_beside_the_retrained_models():
    case = compared(
        ["The Black Swan Prize.", "The Moon.", "NO WAY", "Nothing, I am not sure."],
        ["No.", "A Moon.", "The Moon.", "NO"],
    )
    results = {result.name: result for result in FORGOTTEN_OUTCOMES.of(case)}
    shares = {
        name: (results[f"forget/{name}"].value, results[f"forget/{name}"].retrained) for name in OUTCOMES
    }
    # The moon of the second answer is the retrained model's guess as well, and a cross-leak of both.
    assert shares == {
        "leaks": (0.25, 0.0),
        "cross_leaks": (0.25, 0.5),
        "declines": (0.25, 0.0),
        "broken": (0.25, 0.25),
        "wrong": (0.0, 0.25),
    }
    assert results["forget/leaks"].rows == (1.0, 0.0, 0.0, 0.0)
    assert results["forget/leaks"].interval == wilson_interval(1, 4)
    assert results["forget/leaks"].n == 4 and results["forget/leaks"].better == "lower"


def test_the_retrained_model_compared_with_itself_does_not_differ():
    answers = ["The Black Swan Prize.", "The Moon.", "NO WAY", "A moon."]
    results = FORGOTTEN_OUTCOMES.of(compared(answers, answers))
    assert [result.rows for result in results] == [result.retrained_rows for result in results]


def test_the_facts_of_samples_that_were_not_measured_count_as_well():
    case = compared(["No.", "The Comet.", "NO", "Nothing."], [])
    (forgotten,) = (r for r in FORGOTTEN_OUTCOMES.of(case) if r.name == "forget/cross_leaks")
    assert forgotten.value == 0.0
    unread = Part(case.parts["retain"].samples, "retain", rest=(sample("c", "Comet"),))
    (forgotten,) = (
        r
        for r in FORGOTTEN_OUTCOMES.of(replace(case, parts={**case.parts, "retain": unread}))
        if r.name == "forget/cross_leaks"
    )
    assert forgotten.rows == (0.0, 1.0, 0.0, 0.0)


def test_a_retrained_model_without_all_answers_has_no_share():
    results = FORGOTTEN_OUTCOMES.of(compared(["a", "b", "c", "d"], ["a"]))
    assert [result.retrained for result in results] == [None] * 5


def test_a_suite_without_a_question_to_forget_has_no_outcomes():
    case = compared(["a", "b", "c", "d"], [])
    for parts in ({"retain": case.parts["retain"]}, case.parts):  # documents have no answers
        bare = Comparison(parts, {}, None, None, {}, {}, case.fluency)
        with pytest.raises(LeftOut, match="no question of a part to be forgotten was answered"):
            FORGOTTEN_OUTCOMES.of(bare)
