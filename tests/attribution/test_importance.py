"""Normalization, aggregation and fusion on small arrays worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from tokenunlearn.attribution.importance import (
    ImportanceSettings,
    importance,
    knowledge_score,
    normalize,
    over_words,
)
from tokenunlearn.errors import TokenUnlearnError

NAN, INF = np.nan, np.inf


@pytest.mark.parametrize(
    ("values", "rank", "minmax"),
    [
        ([3.0, 1.0, 2.0], [1, 0, 0.5], [1, 0, 0.5]),
        ([0.0, 1.0, 10.0, 100.0], [0, 1 / 3, 2 / 3, 1], [0, 0.01, 0.1, 1]),
        ([0.0, 0.0, 0.0], [0.5] * 3, [0.5] * 3),
        ([-7.0, -7.0], [0.5] * 2, [0.5] * 2),
        ([-2.0, -1.0, 2.0], [0, 0.5, 1], [0, 0.25, 1]),
        ([4.0], [0.5], [0.5]),
        ([NAN], [0.5], [0.5]),
        ([], [], []),
        ([0.0, 0.0, 5.0], [0.25, 0.25, 1], [0, 0, 1]),
        ([NAN, 1.0, 2.0], [0.25, 0.25, 1], [0, 0, 1]),
        ([INF, 1.0, 2.0, -INF], [5 / 6, 1 / 6, 5 / 6, 1 / 6], [1, 0, 1, 0]),
    ],
)
def test_normalize(values, rank, minmax):
    assert normalize(np.array(values), "rank") == pytest.approx(np.array(rank))
    assert normalize(np.array(values), "minmax") == pytest.approx(np.array(minmax))


def test_rank_does_not_depend_on_scale():
    values = np.random.default_rng(0).normal(size=40)
    assert normalize(values, "rank") == pytest.approx(normalize(np.exp(3 * values), "rank"))


@pytest.mark.parametrize(
    ("aggregation", "expected"), [("sum", [3, 0, 5]), ("max", [2, 0, 5]), ("absolute", [3, 4, 6])]
)
def test_knowledge_score_over_contexts(aggregation, expected):
    losses = np.array([[1.0, -1.0, 5.0], [2.0, -3.0, -1.0]])
    copied = np.array([False, False, True])
    assert knowledge_score(losses, copied, aggregation, copy_guard=False) == pytest.approx(np.array(expected))
    guarded = np.array([*expected[:2], 0])
    assert knowledge_score(losses, copied, aggregation) == pytest.approx(guarded)
    assert knowledge_score(losses[:0], copied, aggregation) == pytest.approx(np.zeros(3))


KNOWLEDGE = [np.array([0.0, 1.0, 4.0]), np.array([2.0, 3.0])]
ENTROPY = [np.array([1.0, 0.0, 2.0]), np.array([4.0, 3.0])]
K = [[0.0, 0.25, 1.0], [0.5, 0.75]]  # rank and minmax agree on these
H = [[0.25, 0.0, 0.5], [1.0, 0.75]]


def mixed(rule):
    return [[rule(k, h) for k, h in zip(*pair, strict=True)] for pair in zip(K, H, strict=True)]


@pytest.mark.parametrize("normalizer", ["rank", "minmax"])
@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"alpha": 1.0}, K),
        ({"alpha": 0.0}, H),
        ({"alpha": 1.0, "fusion": "sum"}, K),
        ({"alpha": 0.0, "fusion": "sum"}, H),
        ({"alpha": 0.3, "fusion": "sum"}, mixed(lambda k, h: 0.3 * k + 0.7 * h)),
        ({"alpha": 0.3}, mixed(lambda k, h: k**0.3 * h**0.7)),
        ({"alpha": 0.0, "direction": "certain"}, [[1 - h for h in row] for row in H]),
        ({"alpha": 1.0, "scope": "sample"}, None),
    ],
)
def test_importance(settings, expected, normalizer):
    result = importance(KNOWLEDGE, ENTROPY, ImportanceSettings(normalizer=normalizer, **settings))
    if expected is None:
        expected = [[0, 0.5 if normalizer == "rank" else 0.25, 1], [0, 1]]
    assert [len(s) for s in result] == [3, 2]
    for got, wanted in zip(result, expected, strict=True):
        assert got == pytest.approx(np.array(wanted))


@pytest.mark.parametrize("scope", ["set", "sample"])
@pytest.mark.parametrize("fusion", ["sum", "product"])
@pytest.mark.parametrize("normalizer", ["rank", "minmax"])
def test_importance_stays_in_range_whatever_was_measured(scope, fusion, normalizer):
    generator = np.random.default_rng(1)
    knowledge = [np.array([NAN]), np.zeros(4), generator.normal(size=9), np.array([INF, 1.0]), np.array([])]
    entropy = [np.array([0.0]), np.full(4, 2.0), generator.random(9), np.array([NAN, NAN]), np.array([])]
    settings = ImportanceSettings(alpha=0.4, scope=scope, fusion=fusion, normalizer=normalizer)
    result = importance(knowledge, entropy, settings)
    assert [len(s) for s in result] == [1, 4, 9, 2, 0]
    whole = np.concatenate(result)
    assert np.isfinite(whole).all() and whole.min() >= 0 and whole.max() <= 1


def test_no_samples():
    assert importance([], [], ImportanceSettings()) == []


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("alpha", 1.1),
        ("alpha", NAN),
        ("alpha", -0.1),
        ("fusion", "mean"),
        ("normalizer", "z"),
        ("scope", "batch"),
        ("aggregation", "min"),
        ("direction", "up"),
        ("reading", "loud"),
        ("granularity", "sentence"),
    ],
)
def test_bad_settings_are_named(name, value):
    with pytest.raises(TokenUnlearnError, match=f"^{name} is .*{value}.*; it must "):
        ImportanceSettings(**{name: value})


@pytest.mark.parametrize(("granularity", "word"), [("word", 6.0), ("highest", 3.0)])
def test_every_token_takes_the_score_of_its_word(granularity, word):
    words = np.array([0, 1, 1, 2, 1])
    scores = np.array([5.0, 1.0, 3.0, -2.0, 2.0])
    assert over_words(scores, words, granularity).tolist() == [5.0, word, word, -2.0, word]
    assert over_words(scores, words, "token").tolist() == scores.tolist()
    with_nan = over_words(np.array([NAN, NAN, 3.0, 1.0, 0.0]), words, granularity)
    assert np.isnan(with_nan[0])
    assert with_nan[1:].tolist() == [3.0, 3.0, 1.0, 3.0]


def test_factors_scale_the_importance():
    factors = [np.array([0.0, 0.5, 1.0]), np.array([1.0, 0.6])]
    result = importance(KNOWLEDGE, ENTROPY, ImportanceSettings(), factors=factors)
    for got, h, factor in zip(result, H, factors, strict=True):
        assert got == pytest.approx(np.array(h) * factor)


def test_granularity_enters_the_importance():
    settings = ImportanceSettings(alpha=1.0)
    by_word = importance([np.array([1.0, 0.0, 2.0])], [np.zeros(3)], settings, [np.array([0, 1, 1])])
    assert by_word[0].tolist() == [0.0, 0.75, 0.75]
    two = [np.array([1.0, 0.0, 2.0]), np.array([5.0])], [np.zeros(3), np.zeros(1)]
    whole = importance(*two, settings, [np.array([0, 1, 1]), np.array([0])])  # each sample has its own words
    assert [s.tolist() for s in whole] == [[0.0, 0.5, 0.5], [1.0]]
    by_token = ImportanceSettings(alpha=1.0, granularity="token")
    assert importance([np.array([1.0, 0.0, 2.0])], [np.zeros(3)], by_token, [np.array([0, 1, 1])])[
        0
    ].tolist() == [
        0.5,
        0.0,
        1.0,
    ]
