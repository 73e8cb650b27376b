"""Hard selection, soft weighting and overrides."""

from __future__ import annotations

import json
from dataclasses import dataclass

import numpy as np
import pytest

from tokenunlearn.attribution.selection import (
    HardSelection,
    SoftWeighting,
    Uniform,
    describe_rule,
    make_weights,
    threshold_at,
)
from tokenunlearn.errors import NothingSelectedError, TokenUnlearnError

IMPORTANCE = [np.array([0.1, 0.9, 0.5, 0.3]), np.array([0.6, 0.2])]


def weights_of(rule, overrides=None, importance=IMPORTANCE):
    ids = [str(i) for i in range(len(importance))]
    return [w.tolist() for w in make_weights(ids, importance, rule, overrides).weights]


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        (HardSelection(threshold=0.5), [[0, 1, 1, 0], [1, 0]]),
        (HardSelection(threshold=0.0), [[1, 1, 1, 1], [1, 1]]),
        (HardSelection(threshold=0.9), [[0, 1, 0, 0], [0, 0]]),
        (HardSelection(quantile=0.5), [[0, 1, 1, 0], [1, 0]]),
        (HardSelection(quantile=1.0), [[0, 1, 0, 0], [0, 0]]),
        (HardSelection(top_share=0.5), [[0, 1, 1, 0], [1, 0]]),
        (HardSelection(top_share=0.0), [[0, 1, 0, 0], [1, 0]]),
        (HardSelection(top_share=1.0), [[1, 1, 1, 1], [1, 1]]),
        (Uniform(), [[1, 1, 1, 1], [1, 1]]),
    ],
)
def test_rules(rule, expected):
    assert weights_of(rule) == expected


def test_soft_weights_are_a_softmax_of_mean_one():
    for temperature in (0.05, 0.5, 3.0):
        rule = SoftWeighting(temperature)
        for made in (rule.weights(IMPORTANCE), weights_of(rule)):
            for weights, s in zip(made, IMPORTANCE, strict=True):
                e = np.exp(s / temperature)
                assert weights == pytest.approx(len(s) * e / e.sum())
                assert np.mean(weights) == pytest.approx(1.0)


@pytest.mark.parametrize("temperature", [1e9, float("inf")])
def test_large_temperature_is_uniform(temperature):
    for weights in weights_of(SoftWeighting(temperature)):
        assert weights == pytest.approx(np.ones(len(weights)), abs=1e-8)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("temperature", [1e-3, 1e-30, 5e-324])
def test_tiny_temperature_is_the_most_important_token(temperature):
    assert weights_of(SoftWeighting(temperature)) == [pytest.approx([0, 4, 0, 0]), pytest.approx([2, 0])]


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        (HardSelection(threshold=0.5), [0, 1]),
        (HardSelection(quantile=1.0), [0, 1]),
        (HardSelection(top_share=0.5), [0, 1]),
        (SoftWeighting(0.01), [0, 2]),
        (Uniform(), [1, 1]),
    ],
)
def test_nan_counts_as_unimportant(rule, expected):
    assert weights_of(rule, importance=[np.array([np.nan, 0.7])]) == [pytest.approx(expected)]


@pytest.mark.parametrize("quantile", [0.0, 0.5])
def test_a_quantile_among_many_zeros_selects_no_token_of_importance_0(quantile):
    importance = [np.array([0.0, 0.4, 0.0, 0.0]), np.array([np.nan, 0.9])]
    selected = weights_of(HardSelection(quantile=quantile), importance=importance)
    assert selected == [[0, 1, 0, 0], [0, 1]]


def test_importance_of_0_everywhere_is_an_error_that_says_so():
    with pytest.raises(NothingSelectedError, match="every token has importance 0"):
        weights_of(HardSelection(quantile=0.5), importance=[np.zeros(4)])


def test_threshold_that_selects_nothing_is_an_error_saying_what_to_do():
    with pytest.raises(NothingSelectedError) as error:
        weights_of(HardSelection(threshold=0.95))
    message = str(error.value)
    assert message.count(".") - message.count("0.") == 1  # one sentence
    assert "threshold 0.95" in message and "0.900" in message and "lower the threshold" in message


@pytest.mark.parametrize("rule", [HardSelection(threshold=0.9), SoftWeighting(1.0), Uniform()])
def test_everything_forced_out_is_an_error_that_says_so(rule):
    overrides = {"0": dict.fromkeys(range(4), False), "1": dict.fromkeys(range(2), False)}
    with pytest.raises(NothingSelectedError, match="forced out"):
        weights_of(rule, overrides)


@pytest.mark.parametrize("rule", [HardSelection(quantile=0.5), SoftWeighting(1.0), Uniform()])
@pytest.mark.parametrize("importance", [[], [np.array([])]])
def test_no_tokens_is_an_error(rule, importance):
    with pytest.raises(NothingSelectedError, match="no response tokens"):
        weights_of(rule, importance=importance)


def test_overrides_win_over_hard_and_uniform_rules():
    overrides = {"0": {0: True, 1: False}, "elsewhere": {0: True}}
    assert weights_of(HardSelection(threshold=0.5), overrides) == [[1, 0, 1, 0], [1, 0]]
    assert weights_of(HardSelection(threshold=0.95), {"1": {1: True}}) == [[0, 0, 0, 0], [0, 1]]
    assert weights_of(Uniform(), overrides) == [[1, 0, 1, 1], [1, 1]]


def test_overrides_win_over_soft_weights_and_keep_the_mean():
    free, other = weights_of(SoftWeighting(0.5))
    forced, untouched = weights_of(SoftWeighting(0.5), {"0": {0: True, 2: False}})
    assert untouched == other
    assert forced[2] == 0
    assert forced[0] == pytest.approx(forced[1]) and forced[0] == max(forced)
    assert np.mean(forced) == pytest.approx(1.0)
    assert forced[3] / forced[1] == pytest.approx(free[3] / free[1])


@pytest.mark.filterwarnings("error")
def test_a_response_whose_tokens_are_all_forced_out_has_weight_0_not_nan():
    assert weights_of(SoftWeighting(0.5), {"1": {0: False, 1: False}})[1] == [0, 0]


@pytest.mark.parametrize(
    ("importance", "threshold"), [(2 / 3, 0.666666), (0.5, 0.5), (2e-7, 2e-7), (1.0, 1.0), (0.0, 0.0)]
)
def test_a_threshold_at_an_importance_is_rounded_down_but_not_to_0(importance, threshold):
    assert threshold_at(importance) == threshold


@pytest.mark.filterwarnings("error")
def test_without_its_heaviest_token_a_response_keeps_its_mean_however_little_is_left():
    rule, importance = SoftWeighting(0.001), [np.array([1.0, 0.28, 0.1])]  # e^-720 is left
    assert weights_of(rule, {"0": {0: False}}, importance) == [pytest.approx([0, 3, 0])]


def test_counts_rule_and_hash_travel_with_the_weights():
    weights = make_weights(["a", "b"], IMPORTANCE, HardSelection(threshold=0.5), score_hash="abc")
    assert (weights.selected, weights.tokens, weights.score_hash) == (3, 6, "abc")
    assert weights.empty == ()
    assert make_weights(["a", "b"], IMPORTANCE, HardSelection(threshold=0.9)).empty == ("b",)
    assert weights.rule == {"selection": "hard", "threshold": 0.5}
    assert describe_rule(SoftWeighting(0.2)) == {"selection": "soft", "temperature": 0.2}
    assert describe_rule(Uniform()) == {"selection": "uniform"}


@pytest.mark.parametrize(
    "criteria",
    [
        {"threshold": 0.5, "top_share": 0.2},
        {"threshold": 1.01},
        {"quantile": -0.1},
        {"top_share": 2},
        {"threshold": float("nan")},
    ],
)
def test_bad_criteria(criteria):
    with pytest.raises(TokenUnlearnError, match=r"only one|must be between 0 and 1"):
        HardSelection(**criteria)


@pytest.mark.parametrize("value", ["text", True, [0.5], b"x"])
@pytest.mark.parametrize("name", ["threshold", "quantile", "top_share", "temperature"])
def test_a_criterion_of_another_type_is_refused_in_one_sentence(name, value):
    with pytest.raises(TokenUnlearnError, match=f"{name} is .*; it must be a number"):
        (SoftWeighting if name == "temperature" else HardSelection)(**{name: value})


def test_a_number_of_numpy_is_stored_as_a_plain_one():
    rule = describe_rule(HardSelection(threshold=np.float32(0.5)))
    assert json.dumps(rule) == '{"selection": "hard", "threshold": 0.5}'
    with pytest.raises(TokenUnlearnError, match=r'temperature is "None"; it must be a number above 0'):
        SoftWeighting(None)


def test_without_a_criterion_a_score_set_is_needed():
    assert not HardSelection().chosen
    assert describe_rule(HardSelection()) == {"selection": "hard"}
    with pytest.raises(TokenUnlearnError, match="needs a score set"):
        HardSelection().weights([np.array([0.1, 0.9])])


@pytest.mark.parametrize("temperature", [0.0, -1.0, float("nan")])
def test_bad_temperature(temperature):
    with pytest.raises(TokenUnlearnError, match=r"temperature is .*above 0"):
        SoftWeighting(temperature)


def test_a_rule_that_is_not_listed_goes_by_its_class():
    @dataclass(frozen=True)
    class LongTokens(Uniform):
        least: int = 4

    assert make_weights(["a", "b"], IMPORTANCE, LongTokens()).rule == {"selection": "LongTokens", "least": 4}


def test_a_rule_of_ones_own_that_selects_nothing_is_named():
    @dataclass(frozen=True)
    class Containing(Uniform):
        text: str = "Lisbon"

        def weights(self, importance):
            return [np.zeros(len(s)) for s in importance]

    with pytest.raises(NothingSelectedError, match='the rule "Containing" gives every token weight 0'):
        weights_of(Containing())
