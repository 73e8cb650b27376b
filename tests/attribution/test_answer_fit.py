"""Known or not, reached or not: answers of chosen numbers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.app.scores import sample, score_set
from tokenunlearn.attribution.answer_fit import (
    UNKNOWN_FACT_NLL,
    UNKNOWN_NLL,
    answer_fits,
    reaching_threshold,
    whole_words,
)
from tokenunlearn.attribution.score_set import ScoreSet
from tokenunlearn.attribution.selection import HardSelection
from tokenunlearn.folders import ASSETS


def answer(nll, gold=(), name="s0", importance=None):
    made = sample(np.ones(len(nll)), importance or np.arange(len(nll)), gold=gold, name=name)
    return replace(made, nll=np.array(nll, dtype=np.float32))


@pytest.mark.parametrize(
    ("nll", "gold", "known"),
    [
        ([0.1, 0.1, 9.0, 0.1, 0.1, 0.1, 0.1], (2,), False),  # cheap words hide the fact from the mean
        ([5.0, 5.0, 0.1, 5.0], (2,), True),
        ([UNKNOWN_NLL] * 4, (), True),
        ([UNKNOWN_NLL + 0.1] * 4, (), False),
        ([9.0, UNKNOWN_FACT_NLL, 9.0], (1,), True),
        ([np.nan] * 3, (), True),
        ([np.nan, *[UNKNOWN_NLL + 0.1] * 3], (), False),
    ],
)
def test_the_fact_decides_where_there_is_one_else_the_answer(nll, gold, known):
    (fit,) = answer_fits(score_set([answer(nll, gold)]), [np.ones(len(nll))])
    assert fit.known is known


def test_shares_of_answer_and_fact():
    scores = score_set([answer([0.1] * 5, gold=(1, 2)), answer([0.1] * 4, name="s1")])
    fact, plain = answer_fits(scores, [np.array([1, 1, 0, 0, 0]), np.zeros(4)])
    assert (fact.selected, fact.coverage) == (0.4, 0.5)
    assert (plain.selected, plain.coverage, plain.fact_nll) == (0, None, None)


@pytest.mark.slow
def test_every_shipped_answer_is_known():
    for path in sorted((ASSETS / "scores").glob("*.parquet")):
        scores = ScoreSet.load(path)
        assert all(fit.known for fit in answer_fits(scores, scores.importance)), path


def test_the_reaching_threshold_selects_a_token_of_every_fact_and_a_higher_one_does_not():
    samples = [
        answer([0.1] * 6, gold=(2, 3)),
        answer([0.1] * 9, name="s2"),
        answer([0.1] * 6, gold=(4,), name="s1"),
    ]
    scores = score_set(samples, reading="plain", granularity="token")
    threshold = reaching_threshold(scores, ["s0", "s1"])

    def reached(at: float) -> bool:
        weights = scores.weights(HardSelection(threshold=at)).weights
        return all(fit.coverage != 0 for fit in answer_fits(scores, weights))

    assert reached(threshold) and not reached(threshold + 1e-3)
    assert reaching_threshold(scores, []) == 1.0


def test_a_fact_of_tiny_importance_is_reached_without_what_has_none():
    scores = score_set([answer([0.1] * 4, gold=(1, 2))])
    vars(scores)["importance"] = [np.array([0.5, 4e-7, 2e-7, 0.0])]
    assert reaching_threshold(scores, ["s0"]) == 4e-7
    assert reaching_threshold(scores, ["s0"], whole=True) == 2e-7


def test_whole_words_completes_what_is_half_selected():
    scores = score_set([answer([0.1] * 7)])  # tokens 0 and 1 are one word, 3 and 4 another
    words = scores.samples[0].words
    assert words[0] == words[1]
    weights = [np.eye(7)[0]]
    assert whole_words(scores, weights) == {"s0": [1]}
    assert whole_words(scores, [np.ones(7)]) == {} == whole_words(scores, [np.zeros(7)])
