"""Token settings: one text form for URL, browser and session; bad values are named and left out."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from app import state
from tests.app.scores import sample, score_set
from tokenunlearn.attribution.selection import HardSelection, SoftWeighting, UniformWeighting


@pytest.fixture
def scores():
    return score_set(
        [sample([1, 2, 3, 4, 5], [5, 4, 3, 2, 1]), sample([1, 2], [2, 1], name="s1")], alpha=0.4, fusion="sum"
    )


def test_defaults_are_the_score_sets_own(scores):
    settings = state.defaults(scores)
    assert settings.apply(scores) == scores
    assert settings.rule == HardSelection(threshold=0.8)


def test_every_setting_survives_its_text_form(scores):
    settings = state.TokenSettings(
        alpha=0.25,
        fusion="product",
        normaliser="minmax",
        scope="sample",
        guard=False,
        direction="certain",
        granularity="token",
        weights="soft",
        criterion="quantile",
        threshold=0.35,
        top_share=0.1,
        quantile=0.9,
        temperature=0.02,
        tint="probability",
        pick="sentence",
        blanks=True,
        overrides={"s0": {0: True, 1: True, 2: True, 4: False}, "s1": {1: False}},
    )
    text = state.to_text(settings, scores)
    assert set(text) == set(state.PARAMETERS)
    assert text["overrides"] == "0.i0-2.o4_1.o1"
    assert state.from_text(text, state.defaults(scores), scores) == (settings, [])


def test_rules(scores):
    base = state.defaults(scores)
    assert replace(base, weights="soft", temperature=0.3).rule == SoftWeighting(0.3)
    assert replace(base, weights="uniform").rule == UniformWeighting()
    assert replace(base, criterion="top_share", top_share=0.2).rule == HardSelection(top_share=0.2)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("threshold", "1.5"),
        ("threshold", "nan"),
        ("alpha", "much"),
        ("temperature", "0"),
        ("weights", "softer"),
        ("guard", "yes"),
        ("overrides", "2.i0"),
        ("overrides", "0.i5"),
        ("overrides", "0.i3-1"),
        ("overrides", "0.x1"),
        ("overrides", "-1.i0"),
        ("overrides", "²"),
        ("overrides", "0.i99999999"),
    ],
)
def test_a_bad_value_is_named_and_left_out(scores, name, value):
    base = state.defaults(scores)
    settings, faults = state.from_text({name: value, "blanks": "true"}, base, scores)
    assert settings == replace(base, blanks=True)
    (fault,) = faults
    assert f'{name} "{value}"' in fault and "must" in fault


def test_overrides_change_the_hash_and_win_over_the_rule(scores):
    settings = replace(state.defaults(scores), threshold=1.0, overrides={"s1": {0: True}})
    applied = settings.apply(scores)
    assert applied.hash != scores.hash
    assert applied.overrides == {"s1": {0: True}}
    np.testing.assert_array_equal(applied.weights(settings.rule).weights[1], [1, 0])


def test_settings_without_overrides_clear_those_of_the_score_set(scores):
    stored = scores.with_override("s0", 0, True)
    assert state.defaults(stored).overrides == {"s0": {0: True}}
    assert replace(state.defaults(stored), overrides={}).apply(stored).overrides == {}
