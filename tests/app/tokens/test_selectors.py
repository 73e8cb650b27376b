"""Selectors by name: what is known, what is skipped, and fits that stay."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import streamlit as st

from app import selectors
from app.tokens import selector_panel
from tests.app.scores import sample, score_set
from tokenunlearn.attribution.selector import LEAST_ROWS, Selector, fit_selector
from tokenunlearn.errors import TokenUnlearnError

SELECTOR = Selector("märkte", ("entropy",), (2.0,), 0.0, ("demo a:b (9 samples)",))
RANDOM = np.random.default_rng(4)


@pytest.fixture(autouse=True)
def folders(tmp_path, monkeypatch):
    """Shipped and own selectors in folders of the test's own."""
    monkeypatch.setenv("TOKENUNLEARN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(selectors, "ASSETS", tmp_path / "assets")
    st.cache_resource.clear()


def scores_with(facts):
    return score_set(
        [
            sample(RANDOM.random(9), RANDOM.random(9), name=f"s{i}", gold=(2,) if i < facts else ())
            for i in range(LEAST_ROWS + 2)
        ]
    )


def test_without_any_only_the_two_signals_are_known():
    assert selectors.files() == {}
    assert selectors.find("") is None
    assert selectors.find("x") is None
    assert selector_panel.label("") == "masking and entropy"


def test_shipped_ones_stand_in_front_and_win_and_what_is_none_is_skipped(tmp_path):
    other = replace(SELECTOR, name="other")
    shipped = SELECTOR.save(tmp_path / "assets" / "selectors" / "both.json")
    own = [other.save(selectors.own_folder() / f"{name}.json") for name in ("both", "a")]
    (selectors.own_folder() / "broken.json").write_text("{")
    assert list(selectors.files().items()) == [("both", shipped), ("a", own[1])]
    assert selectors.find("both") == SELECTOR
    assert selectors.file_of(other) == own[1]
    assert selectors.file_of(replace(SELECTOR, name="third")) is None
    assert selector_panel.label("both") == "märkte – demo a:b (9 samples)"


def test_a_changed_file_is_read_again():
    path = SELECTOR.save(selectors.own_folder() / "a.json")
    assert selectors.find("a") == SELECTOR
    replace(SELECTOR, name="new").save(path)
    assert selectors.find("a").name == "new"
    path.unlink()
    assert selectors.find("a") is None


def test_a_fit_is_kept_under_its_hash_and_gives_the_importance():
    scores = scores_with(LEAST_ROWS)
    name = selectors.fit(scores)
    selector = selectors.find(name)
    assert name == selector.hash
    assert selector == fit_selector(selector.name, [scores])
    assert selectors.fit(scores) == name
    assert list(selectors.files()) == [name]
    found = selectors.learned(scores, name)
    assert found == replace(scores, selector=selector)
    assert selectors.learned(scores, "") is scores
    assert selectors.learned(scores, "none such") is scores


def test_too_few_facts_are_refused():
    scores = scores_with(LEAST_ROWS - 1)
    assert selectors.marked(scores) == LEAST_ROWS - 1
    with pytest.raises(TokenUnlearnError, match="at least 5"):
        selectors.fit(scores)
    assert selectors.files() == {}
