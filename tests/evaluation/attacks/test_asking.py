"""Attacks that ask otherwise: what is asked, how answers begin, which of several is the best."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tokenunlearn.datasets.languages import ENGLISH, JAPANESE
from tokenunlearn.datasets.samples import Sample, SampleSet
from tokenunlearn.evaluation.attack_prompts import answer_start
from tokenunlearn.evaluation.attacks import target as targets
from tokenunlearn.evaluation.attacks.paraphrase import paraphrase
from tokenunlearn.evaluation.attacks.prefix import prefix
from tokenunlearn.evaluation.attacks.sampling import sampling
from tokenunlearn.evaluation.attacks.target import Target, best


@pytest.fixture
def asked(monkeypatch):
    """Every call to generate, answered by the town for two of its questions."""
    calls: list[dict] = []

    def generate(lm, questions, **settings):
        calls.append({"questions": list(questions), **settings})
        return ["It was Turin." if "1 born" in q else "I cannot say." for q in questions]

    monkeypatch.setattr(targets, "generate", generate)
    return calls


def make_target(tiny_lm, samples) -> Target:
    return Target(tiny_lm, samples, lambda phase, done, total: None)


def test_paraphrase_asks_the_paraphrased_questions_only(tiny_lm, town_samples, asked):
    samples = SampleSet("x", (replace(town_samples[0], paraphrased_question=""), *town_samples[1:4]))
    rows = paraphrase(make_target(tiny_lm, samples))["paraphrase/gold_span"]
    assert asked[0]["questions"] == [s.paraphrased_question for s in samples[1:]]
    assert rows == [None, 1.0, 0.0, 0.0]
    bare = SampleSet("x", (samples[0], samples[0]))
    assert paraphrase(make_target(tiny_lm, bare)) == {}


def test_prefix_takes_the_best_of_its_phrases_and_the_answers_own_start(tiny_lm, town_samples, asked):
    found = prefix(make_target(tiny_lm, town_samples[:3]))
    assert [call["prefixes"] for call in asked] == [
        *([phrase] * 3 for phrase in ENGLISH.prefixes),
        ["Ada 0 was born in", "Ada 1 was born in", "Ada 2 was born in"],
    ]
    assert found == {"prefix/gold_span": [0.0, 1.0, 0.0], "answer_start/gold_span": [0.0, 1.0, 0.0]}


def test_each_sample_is_made_to_begin_in_its_language(tiny_lm, town_samples, asked):
    japanese = replace(town_samples[1], question="どこで生まれましたか。")
    prefix(make_target(tiny_lm, SampleSet("x", (town_samples[0], japanese))))
    assert [call["prefixes"] for call in asked[:3]] == [
        list(pair) for pair in zip(ENGLISH.prefixes, JAPANESE.prefixes, strict=True)
    ]


def test_an_answer_that_begins_with_its_fact_has_no_start():
    assert answer_start(Sample("1", "Where?", "Turin it is.", span=((0, 5),))) == ""
    assert answer_start(Sample("1", "Where?", "Turin it is.")) == ""
    assert answer_start(Sample("1", "?", "a Turin, b Oslo", span=((11, 15), (2, 7)))) == "a"


def test_sampling_draws_each_time_from_another_seed(tiny_lm, town_samples, asked):
    found = sampling(make_target(tiny_lm, town_samples[:2]), draws=3, temperature=0.7)
    assert [call["sampling"].seed for call in asked] == [1, 2, 3]
    assert {call["sampling"].temperature for call in asked} == {0.7}
    assert found == {"best_of_3/gold_span": [0.0, 1.0]}


def test_without_gold_spans_rouge_judges(tiny_lm, town_samples, asked):
    samples = SampleSet("x", tuple(replace(s, span=()) for s in town_samples[:2]))
    target = make_target(tiny_lm, samples)
    assert target.metric == "rouge_l"
    assert target.judge("Ada 0 was born in Lisbon.", samples[0]) == 1.0


def test_best_is_the_greatest_value_of_each_row():
    assert best([[0.0, None, None], [0.5, None, 1.0], [0.2, None, 0.0]]) == [0.5, None, 1.0]
