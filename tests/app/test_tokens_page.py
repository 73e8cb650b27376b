"""The page Tokens, and what it hands to the page Unlearn, run as a whole without a browser."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from app import services
from tokenunlearn.attribution.score_set import ScoreSet
from tokenunlearn.attribution.selection import HardSelection
from tokenunlearn.models import ASSETS

DOOR = Path(__file__).resolve().parents[2] / "streamlit_app.py"


@pytest.fixture(autouse=True)
def empty_store(tmp_path, monkeypatch):
    monkeypatch.setenv("TOKENUNLEARN_RUNS", str(tmp_path / "runs"))
    monkeypatch.setenv("TOKENUNLEARN_CACHE", str(tmp_path / "cache"))
    st.cache_resource.clear()
    st.cache_data.clear()


@pytest.fixture(scope="module")
def shipped() -> ScoreSet:
    return ScoreSet.load(ASSETS / "scores" / "demo-authors-forget10.parquet")


def open_page(name, **query) -> AppTest:
    app = AppTest.from_file(DOOR, default_timeout=60)
    for key, value in query.items():
        app.query_params[key] = value
    app.run().switch_page(f"pages/{name}.py").run()
    assert not app.exception
    return app


def data(app) -> dict:
    (view,) = app.get("bidi_component")
    return json.loads(view.proto.json)


def test_the_view_gets_the_scores_and_the_settings(shipped):
    sent = data(open_page("tokens"))
    assert sent["setKey"] == shipped.hash
    assert sent["sample"]["texts"] == list(shipped.samples[0].texts)
    assert sent["settings"]["threshold"] == "0.8"
    assert sent["settings"] == sent["defaults"]


def test_a_link_sets_the_settings_and_names_what_it_cannot_use():
    app = open_page("tokens", threshold="0.9", overrides="0.i1", temperature="hot")
    sent = data(app)
    assert (sent["settings"]["threshold"], sent["settings"]["overrides"]) == ("0.9", "0.i1")
    assert any('temperature "hot"' in text.value for text in app.text)


TABS = {
    "This answer": 2,
    "Distribution": 2,
    "Knowledge × entropy": 1,
    "Rule": 2,
    "Forget set": 1,
    "Before you train": 5,
}


@pytest.mark.parametrize("tab", list(TABS))
@pytest.mark.parametrize("query", [{}, {"weights": "soft"}, {"threshold": "1"}, {"weights": "uniform"}])
def test_every_tab_draws_and_says_what_to_see(tab, query):
    app = AppTest.from_file(DOOR, default_timeout=60)
    for key, value in query.items():
        app.query_params[key] = value
    app.session_state["charts"] = tab
    app.run().switch_page("pages/tokens.py").run()
    assert not app.exception
    assert len(app.get("plotly_chart")) == TABS[tab]
    assert len(app.caption) >= TABS[tab]


def test_a_threshold_that_selects_nothing_is_said_in_one_sentence():
    app = open_page("tokens", threshold="1")
    assert any("No token is selected" in text.value for text in app.text)


def test_unlearn_launches_exactly_those_weights_overrides_included(shipped, monkeypatch):
    submitted = []
    worker = SimpleNamespace(submit=submitted.append, waiting=lambda: submitted)
    monkeypatch.setattr(services, "worker", lambda: worker)
    app = open_page("tokens", threshold="0.8", alpha="0.5", overrides="0.i1-2_3.o0")
    app.switch_page("pages/unlearn.py").run()
    assert not app.exception
    next(button for button in app.button if button.label == "Start").click().run()
    (run,) = services.store().runs()
    assert [r.id for r in submitted] == [run.id]
    expected = shipped.with_settings(alpha=0.5)
    for sample, position, inside in ((0, 1, True), (0, 2, True), (3, 0, False)):
        expected = expected.with_override(shipped.samples[sample].sample_id, position, inside)
    assert run.spec.score_hash == expected.hash
    assert run.spec.rule == {"selection": "hard", "threshold": 0.8}
    kept = ScoreSet.load(run.folder / "scores.parquet").weights(HardSelection(threshold=0.8))
    assert kept.weights[0][1] == kept.weights[0][2] == 1 and kept.weights[3][0] == 0
