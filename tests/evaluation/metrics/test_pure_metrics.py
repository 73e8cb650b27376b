"""Metrics that are pure functions, against float64 loops, closed forms and scipy."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from scipy.stats import ks_2samp

from tokenunlearn.datasets import load_samples
from tokenunlearn.errors import TokenUnlearnError
from tokenunlearn.evaluation.metrics.exact_memorization import exact_memorization
from tokenunlearn.evaluation.metrics.extraction_strength import extraction_strength
from tokenunlearn.evaluation.metrics.forget_quality import forget_quality, ks_statistic
from tokenunlearn.evaluation.metrics.gold_span import gold_span_accuracy
from tokenunlearn.evaluation.metrics.probability import answer_probability, choice_probability
from tokenunlearn.evaluation.metrics.rouge import rouge_l_recall
from tokenunlearn.evaluation.metrics.token_auroc import token_auroc
from tokenunlearn.evaluation.metrics.truth_ratio import forget_truth_ratio, truth_ratio, utility_truth_ratio
from tokenunlearn.evaluation.metrics.utility import model_utility, utility_result
from tokenunlearn.evaluation.result import bootstrap_interval


@pytest.fixture
def nlls():
    rng = np.random.default_rng(3)
    return rng.gamma(2.0, 1.5, size=7), rng.gamma(2.0, 1.5, size=(7, 5))


def test_answer_probability_is_the_geometric_mean_of_token_probabilities():
    tokens = [[0.5, 0.25, 0.9], [0.01], [1.0, 1.0]]
    mean_nll = [sum(-math.log(p) for p in row) / len(row) for row in tokens]
    expected = [math.prod(row) ** (1 / len(row)) for row in tokens]
    assert answer_probability(np.array(mean_nll)) == pytest.approx(expected, abs=1e-12)


def test_choice_probability_is_a_share_of_probabilities(nlls):
    correct, wrong = nlls
    expected = []
    for i in range(7):
        right = math.exp(-correct[i])
        expected.append(right / (right + sum(math.exp(-w) for w in wrong[i])))
    assert choice_probability(correct, wrong) == pytest.approx(expected, abs=1e-12)
    assert choice_probability(np.array([2.0]), np.full((1, 4), 2.0)) == pytest.approx([0.2])
    assert choice_probability(np.array([1e6]), np.array([[1.0]])) == [0.0]


def test_truth_ratio_has_the_geometric_or_the_arithmetic_mean_of_wrong_answers(nlls):
    correct, wrong = nlls
    geometric, arithmetic = [], []
    for i in range(7):
        probabilities = [math.exp(-w) for w in wrong[i]]
        geometric.append(math.prod(probabilities) ** (1 / 5) / math.exp(-correct[i]))
        arithmetic.append(sum(probabilities) / 5 / math.exp(-correct[i]))
    assert truth_ratio(correct, wrong) == pytest.approx(geometric, abs=1e-9)
    assert truth_ratio(correct, wrong, "prob_mean") == pytest.approx(arithmetic, abs=1e-9)
    assert (truth_ratio(correct, wrong, "prob_mean") >= truth_ratio(correct, wrong)).all()
    with pytest.raises(TokenUnlearnError, match="geometric_mean or prob_mean"):
        truth_ratio(correct, wrong, "harmonic")


def test_reported_truth_ratios():
    ratios = np.array([0.0, 0.25, 1.0, 4.0, np.inf])
    assert forget_truth_ratio(ratios).tolist() == [0.0, 0.25, 1.0, 0.25, 0.0]
    assert utility_truth_ratio(ratios).tolist() == [1.0, 0.75, 0.0, 0.0, 0.0]


def naive_ks(a, b):
    """Largest distance of the two empirical distribution functions, at every observed value."""
    return max(abs(sum(x <= v for x in a) / len(a) - sum(x <= v for x in b) / len(b)) for v in [*a, *b])


@pytest.mark.parametrize(("n", "m", "shift"), [(9, 9, 0.0), (12, 7, 0.6), (60, 60, 0.4), (5, 5, 50.0)])
def test_forget_quality_is_the_ks_test(n, m, shift):
    rng = np.random.default_rng(n)
    a, b = rng.lognormal(size=n), rng.lognormal(size=m) + shift
    assert ks_statistic(a, b) == pytest.approx(naive_ks(a, b), abs=1e-12)
    assert forget_quality(a, b) == pytest.approx(ks_2samp(a, b).pvalue, abs=1e-12)


def test_forget_quality_limits():
    a = np.linspace(0.1, 2.0, 8)
    assert forget_quality(a, a) == 1.0
    assert ks_statistic(a, a + 10) == 1.0
    # 2 / C(2n, n), the chance of complete separation by luck
    assert forget_quality(a, a + 10) == pytest.approx(2 / math.comb(16, 8), rel=1e-9)


def test_model_utility_is_the_harmonic_mean():
    parts = [0.9, 0.5, 0.7, 0.31, 0.8, 0.6, 0.99, 0.2, 0.4]
    assert model_utility(parts) == pytest.approx(9 / sum(1 / p for p in parts), abs=1e-12)
    assert model_utility({"a": 0.5, "b": 0.5}) == 0.5
    assert model_utility([0.5, 0.0]) == 0.0
    with pytest.raises(TokenUnlearnError, match="at least one value"):
        model_utility([])


def test_utility_result_takes_the_mean_of_each_metric_over_the_rows_it_applies_to():
    parts = {
        "retain": {"probability": [0.2, 0.4, None], "rouge_l": [1.0, 0.5, 0.6]},
        "facts": {"probability": [0.9, 0.9]},
    }
    result = utility_result(parts)
    assert result.value == pytest.approx(3 / (1 / 0.3 + 1 / 0.7 + 1 / 0.9), abs=1e-12)
    assert result.n == 5
    low, high = result.interval
    assert low < result.value < high
    assert utility_result({"facts": {"probability": [0.9, 0.9]}}).interval == pytest.approx((0.9, 0.9))


def test_the_interval_of_utility_resamples_as_many_rows_as_there_are():
    rows = np.random.default_rng(0).uniform(0.2, 0.8, 40)
    low, high = utility_result({"retain": {"probability": rows.tolist()}}).interval
    assert (low, high) == pytest.approx(bootstrap_interval(rows), abs=0.01)


def test_a_metric_that_no_drawn_row_has_does_not_make_utility_0():
    result = utility_result({"retain": {"probability": [0.5] * 20, "truth_ratio": [0.5, *[None] * 19]}})
    assert result.interval == pytest.approx((0.5, 0.5))


def lcs(a, b):
    """Length of the longest common subsequence, by the plain recurrence."""
    table = [[0] * (len(b) + 1) for _ in range(len(a) + 1)]
    for i, x in enumerate(a):
        for j, y in enumerate(b):
            table[i + 1][j + 1] = table[i][j] + 1 if x == y else max(table[i][j + 1], table[i + 1][j])
    return table[-1][-1]


@pytest.mark.parametrize(
    ("prediction", "reference"),
    [
        ("the cat sat on a mat", "a cat sat on the mat"),
        ("", "one two"),
        ("two one two three", "one two three four"),
        ("lisbon", "she was born in lisbon"),
    ],
)
def test_rouge_l_recall_is_the_lcs_over_the_reference(prediction, reference):
    words = prediction.split(), reference.split()
    assert rouge_l_recall(prediction, reference) == pytest.approx(lcs(*words) / len(words[1]), abs=1e-12)


def test_rouge_l_recall_stems_and_ignores_case_and_points():
    assert rouge_l_recall("Writing NOVELS!", "writes novel") == 1.0


@pytest.mark.parametrize(
    ("prediction", "reference", "expected"),
    [
        ("Er wohnt in Österfurt.", "in ÖSTERFURT", 1.0),
        ("Er wohnt in Osterfurt.", "in Österfurt", 0.5),
        ("schn sch", "schön", 0.0),
        ("名前は小梅です。", "小梅です", 1.0),
        ("名前は大福です。", "小梅です", 0.5),
        ("フランス", "ラン", 0.0),
        ("José is writing", "josé writes", 1.0),
    ],
)
def test_rouge_l_recall_reads_words_of_any_script(prediction, reference, expected):
    assert rouge_l_recall(prediction, reference) == expected


def test_rouge_l_recall_is_the_packages_on_english():
    from rouge_score.rouge_scorer import RougeScorer

    published = RougeScorer(["rougeL"], use_stemmer=True)
    texts = [s.answer for s in load_samples("authors:world_facts")][:40]
    for one, other in pairwise(texts):
        assert rouge_l_recall(one, other) == published.score(other, one)["rougeL"].recall


@pytest.mark.parametrize(
    ("generation", "facts", "expected"),
    [
        ("She was born in Ashby.", ["Ashby"], 1.0),
        ("She was born in ASHBY", ["ashby"], 1.0),
        ("She was born in Ashby.", ["Ash", "Ashby"], 0.5),
        ("Born on 3  May\n1950, he", ["3 May 1950"], 1.0),
        ("Cost is $5 (net).", ["$5"], 1.0),
        ("İstanbul'da doğdu", ["İstanbul"], 1.0),
        ("Der Hund heißt Mümmelmann.", ["Mümmel", "heisst"], 0.5),
        ("名前は小梅です。", ["小梅", "大福"], 0.5),
        ("名前はココアです。", ["ココ"], 0.0),
        ("番号4071のカード", ["4071", "407"], 0.5),
        ("हिन्दी", ["हिन्द"], 0.0),
        ("Sie lebt in Z\u00fcrich.", ["Zu\u0308rich"], 1.0),
        ("\uff13\uff10 tons", ["30 tons"], 1.0),
        ("nothing", [], None),
    ],
)
def test_gold_span_accuracy(generation, facts, expected):
    assert gold_span_accuracy(generation, facts) == expected


def naive_strength(correct, least):
    """1 - k/T by trying every prefix length from 0 on, up to T or, as published, T - 1."""
    length = len(correct)
    for k in range(length + 1 - least):
        if all(correct[k:]):
            return 1 - k / length
    return 1 - (length - least) / length


def test_memorization_by_trying_every_prefix():
    rng = np.random.default_rng(0)
    for length in (1, 2, 5, 9):
        for _ in range(20):
            correct = rng.random(length) < 0.7
            assert exact_memorization(correct) == pytest.approx(sum(correct) / length, abs=1e-12)
            assert extraction_strength(correct) == pytest.approx(naive_strength(correct, 0), abs=1e-12)
            published = extraction_strength(correct, published=True)
            assert published == pytest.approx(naive_strength(correct, 1), abs=1e-12)


def test_extraction_strength_reaches_0_when_the_last_token_fails_and_the_published_form_does_not():
    correct = np.array([True, True, True, False])
    assert extraction_strength(correct) == 0.0
    assert extraction_strength(correct, published=True) == 0.25
    assert extraction_strength(np.ones(4, bool)) == extraction_strength(np.ones(4, bool), published=True) == 1


def test_token_auroc_counts_pairs():
    rng = np.random.default_rng(5)
    scores = [rng.integers(0, 4, size=size).astype(float) for size in (3, 8, 5)]
    gold = [rng.random(len(s)) < 0.4 for s in scores]
    gold[0][:] = [True, False, False]
    pairs = [
        (a > b) + 0.5 * (a == b)
        for a, g in zip(np.concatenate(scores), np.concatenate(gold), strict=True)
        if g
        for b, h in zip(np.concatenate(scores), np.concatenate(gold), strict=True)
        if not h
    ]
    assert token_auroc(scores, gold) == pytest.approx(sum(pairs) / len(pairs), abs=1e-12)
    with pytest.raises(TokenUnlearnError, match="no gold spans"):
        token_auroc([np.ones(3)], [np.zeros(3, bool)])
