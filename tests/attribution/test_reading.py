"""How entropy is read: two groups or one hump, on distributions whose answer is known."""

from __future__ import annotations

import numpy as np
import pytest

from tests.app.scores import sample, score_set, word
from tokenunlearn.attribution.reading import (
    LEAST_SHARE,
    REPEATED,
    TAIL_SHARE,
    TWO_GROUPS,
    choose_reading,
    hesitation_split,
    separability,
    word_totals,
)
from tokenunlearn.errors import NothingSelectedError

RANDOM = np.random.default_rng(3)


def brute_force(values: np.ndarray) -> tuple[float, float]:
    """The best split by trying every one."""
    best = (0.0, float(values.min()))
    for split in np.unique(values)[1:]:
        low, high = values[values < split], values[values >= split]
        share = len(low) * len(high) / len(values) ** 2 * (low.mean() - high.mean()) ** 2 / values.var()
        if share > best[0] + 1e-12:
            best = (share, float(split))
    return best


@pytest.mark.parametrize("round_to", [None, 1])
def test_separability_equals_trying_every_split(round_to):
    for _ in range(20):
        values = RANDOM.gamma(1.5, 1.0, RANDOM.integers(2, 60))
        values = values if round_to is None else np.round(values, round_to)
        if np.ptp(values) == 0:
            continue
        assert separability(values) == pytest.approx(brute_force(values))


@pytest.mark.parametrize(
    ("values", "expected"),
    [([], (0.0, 0.0)), ([2.0, 2.0], (0.0, 2.0)), ([np.nan, 1.0], (0.0, 1.0)), ([0.0, 0.0, 5.0], (1.0, 5.0))],
)
def test_separability_of_what_cannot_be_split(values, expected):
    assert separability(np.array(values)) == pytest.approx(expected)


@pytest.mark.parametrize("draw", [RANDOM.normal, RANDOM.exponential, RANDOM.lognormal])
def test_one_hump_is_never_two_groups(draw):
    values = draw(size=20_000)
    assert separability(values)[0] < TWO_GROUPS
    assert choose_reading(values) == "tail"


def test_a_few_hesitant_words_among_certain_ones_are_two_groups():
    values = np.concatenate([RANDOM.exponential(0.05, 900), RANDOM.normal(2.0, 0.3, 100)])
    assert choose_reading(values) == "sharp"
    assert 0.08 < (values >= hesitation_split(values)).mean() < 0.12


def test_words_are_summed_over_the_tokens_that_count():
    totals = word_totals(
        [np.array([1.0, 2.0, 4.0, 8.0])], [np.array([0, 1, 1, 2])], [np.array([True, True, True, False])]
    )
    assert totals.tolist() == [1.0, 6.0]
    assert word_totals([np.ones(2)], [np.array([0, 1])], [np.zeros(2, bool)]).size == 0


def hesitating(count=40, time=21):
    """Answers in which one token in ten is uncertain."""
    samples = []
    for i in range(count):
        entropy = RANDOM.exponential(0.02, time)
        entropy[[4, 11]] = RANDOM.normal(2.0, 0.2, 2)
        texts = [f" {word(t)}" for t in range(time - 1)] + ["<|end|>"]
        samples.append(sample(np.zeros(time), entropy, texts=texts, name=f"s{i}", gold=(4, 11)))
    return score_set(samples)


def test_a_hesitating_model_is_read_sharp_and_its_uncertain_words_are_selected():
    scores = hesitating()
    assert scores.reading == "sharp"
    selected = scores.weights().weights
    assert all(w[[4, 11]].all() for w in selected)
    assert sum(w.sum() for w in selected) == round(LEAST_SHARE * sum(map(len, selected)))


def test_a_reciting_model_is_read_by_the_tail_and_a_fixed_share_is_selected():
    samples = [
        sample(
            np.zeros(41),
            RANDOM.exponential(0.2, 41),
            texts=[f" {word(t)}" for t in range(40)] + ["<|end|>"],
            name=f"s{i}",
        )
        for i in range(30)
    ]
    scores = score_set(samples)
    assert scores.reading == "tail"
    assert scores.entropy[0].tolist() == samples[0].tail_entropy.tolist()
    weights = scores.weights()
    assert weights.selected / weights.tokens == pytest.approx(TAIL_SHARE, abs=0.01)


def test_words_of_the_question_punctuation_and_the_end_of_turn_count_less():
    one = sample(
        [0.0] * 4,
        [6.0, 5.0, 3.0, 9.0],
        copied=[False, True, False, False],
        texts=[" a", " b", ".", "<|end|>"],
    )
    scores = score_set([one], reading="sharp")
    assert scores.importance[0][1] < scores.importance[0][0]
    assert scores.importance[0][2:].tolist() == [0.0, 0.0]
    assert scores.factors[0].tolist() == [1.0, REPEATED["sharp"], 0.0, 0.0]
    assert scores.with_settings(copy_guard=False).factors[0].tolist() == [1.0, 1.0, 0.0, 0.0]
    assert scores.with_settings(reading="tail").factors[0][1] == 0
    assert scores.with_settings(reading="plain").factors[0].tolist() == [1.0] * 4


def test_names_count_more_than_lower_case_words_where_the_text_is_recited():
    texts = [" ada", " Ada", " 1843", " 老", "<|end|>"]
    one = sample([0.0] * 5, [1.0] * 5, texts=texts)
    tail = score_set([one], reading="tail").factors[0]
    assert tail.tolist() == [0.6, 1.0, 1.0, 1.0, 0.0]  # a script without capitals loses nothing
    assert score_set([one], reading="sharp").factors[0].tolist() == [1.0, 1.0, 1.0, 1.0, 0.0]


def recited(importance):
    """An answer read by its tail, of which the first tokens have these importances and the others 0."""
    scores = score_set([sample(np.zeros(40), np.ones(40))])
    rest = [0.0] * (40 - len(importance))
    vars(scores).update(chosen_reading="tail", importance=[np.array([*importance, *rest])])
    return scores


@pytest.mark.parametrize("importance", [(0.9, 0.2, 0.4), (1e-7, 3e-8)])
def test_where_fewer_tokens_than_the_share_have_importance_only_those_are_selected(importance):
    (weights,) = recited(importance).weights().weights
    assert np.flatnonzero(weights).tolist() == list(range(len(importance)))


def test_where_no_token_has_importance_the_suggested_threshold_selects_none():
    with pytest.raises(NothingSelectedError, match="every token has importance 0"):
        recited(()).weights()


def test_an_empty_set_has_a_threshold_that_selects_nothing():
    assert score_set([]).suggested_threshold == 1.0


@pytest.mark.parametrize(
    ("hesitant", "next_best", "selected"),
    [
        (8, [0.9, 0.8, 0.7], 10),  # a quarter more
        (8, [0.9, 0.8, 0.8], 9),  # two equal tokens are one too many
        (8, [], 8),
        (2, [0.9, 0.8, 0.7, 0.6, 0.5], 6),  # 15 % of all tokens
        (2, [0.9, 0.8], 4),
    ],
)
def test_a_quarter_more_tokens_than_hesitate_are_selected_or_15_percent(hesitant, next_best, selected):
    texts = [*(f" {word(t)}" for t in range(39)), "<|end|>"]
    scores = score_set([sample(np.zeros(40), np.where(np.arange(40) < hesitant, 5.0, 0.0), texts=texts)])
    importance = np.zeros(40)
    importance[:hesitant], importance[hesitant : hesitant + len(next_best)] = 1.0, next_best
    vars(scores)["importance"] = [importance]
    assert scores.weights().selected == selected
