"""Token settings: one text form for URL, browser and session; bad values are named and left out."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from app import selectors, state
from tests.app.scores import sample, score_set
from tokenunlearn.attribution.selection import HardSelection, SoftWeighting, Uniform
from tokenunlearn.attribution.selector import Selector


@pytest.fixture
def scores():
    return score_set(
        [sample([1, 2, 3, 4, 5], [5, 4, 3, 2, 1]), sample([1, 2], [2, 1], name="s1")], alpha=0.4, fusion="sum"
    )


def test_defaults_are_the_score_sets_own(scores):
    settings = state.defaults(scores)
    assert settings.apply(scores) == scores
    assert settings.rule == HardSelection(threshold=scores.suggested_threshold)


@pytest.mark.parametrize("seed", range(20))
def test_the_suggested_threshold_survives_its_text_form(seed):
    random = np.random.default_rng(seed)
    scores = score_set([sample(random.random(97), random.gamma(1, 1, 97))], normalizer="minmax")
    settings = state.defaults(scores)
    back, faults = state.from_text(state.to_text(settings, scores), state.TokenSettings(), scores)
    assert back.threshold == settings.threshold == scores.suggested_threshold
    assert faults == []
    for got, own in zip(scores.weights(back.rule).weights, scores.weights().weights, strict=True):
        np.testing.assert_array_equal(got, own)


def test_a_link_from_before_there_were_readings_still_works(scores):
    link = {"alpha": "0.3", "fusion": "product", "threshold": "0.8", "granularity": "word"}
    settings, faults = state.from_text(link, state.defaults(scores), scores)
    assert faults == []
    assert (settings.reading, settings.selector) == ("auto", "")
    assert (settings.alpha, settings.threshold) == (0.3, 0.8)
    assert settings.apply(scores).settings.reading == "auto"


@pytest.fixture
def learned(tmp_path, monkeypatch) -> str:
    """Name of a selector fitted on this machine."""
    monkeypatch.setenv("TOKENUNLEARN_CACHE", str(tmp_path))
    Selector("surprise", ("1 - p",), (8.0,), -2.0).save(selectors.own_folder() / "mine.json")
    return "mine"


def test_a_selector_gives_importance_and_threshold(scores, learned):
    settings = replace(state.defaults(scores, learned), selector=learned)
    applied = settings.apply(scores)
    assert applied.selector == selectors.find(learned)
    assert settings.threshold == applied.suggested_threshold != scores.suggested_threshold
    assert replace(settings, selector="").apply(scores) == scores


def test_every_setting_survives_its_text_form(scores, learned):
    settings = state.TokenSettings(
        alpha=0.25,
        fusion="product",
        normalizer="minmax",
        scope="sample",
        copy_guard=False,
        direction="certain",
        granularity="token",
        reading="tail",
        selector=learned,
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


def test_a_link_with_an_old_name_is_read(scores):
    settings, faults = state.from_text({"guard": "false"}, state.defaults(scores), scores)
    assert (settings.copy_guard, faults) == (False, [])


def test_rules(scores):
    base = state.defaults(scores)
    assert replace(base, weights="soft", temperature=0.3).rule == SoftWeighting(0.3)
    assert replace(base, weights="uniform").rule == Uniform()
    assert replace(base, criterion="top_share", top_share=0.2).rule == HardSelection(top_share=0.2)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("threshold", "1.5"),
        ("threshold", "nan"),
        ("alpha", "much"),
        ("temperature", "0"),
        ("weights", "softer"),
        ("copy_guard", "yes"),
        ("reading", "loud"),
        ("selector", "none such"),
        ("selector", "../mine"),
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
