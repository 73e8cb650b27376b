"""What a browser commits counts for the scores that it showed."""

from __future__ import annotations

from unittest.mock import Mock

import pytest
from streamlit.testing.v1 import AppTest

from app.token_view import component


def committing(of: str) -> None:
    import streamlit as st

    from app import state
    from app.token_view import component
    from tests.app.scores import sample, score_set

    scores = score_set([sample([0.1, 2.0, 0.3], [0.5, 0.5, 0.5])])
    settings = state.current("source", scores)
    component.show("source", scores, settings, 0, turn=lambda number: st.write(f"turned to {number}"))
    set_key = scores.hash if of == "shown" else of
    view = {
        "commit": {"threshold": "0.25", "sequence": 1, "set": set_key},
        "open": {"number": 0, "sequence": 1, "set": set_key},
    }
    st.session_state[component.KEY] = view
    component._mount.call_args.kwargs["on_commit_change"]()
    component._mount.call_args.kwargs["on_open_change"]()
    st.write(f"threshold {state.current('source', scores).threshold}")


@pytest.mark.parametrize(("of", "heard"), [("shown", True), ("another set", False), (None, False)])
def test_what_the_browser_says_of_another_score_set_is_not_applied_to_this_one(monkeypatch, of, heard):
    monkeypatch.setattr(component, "_mount", Mock())
    app = AppTest.from_function(committing, kwargs={"of": of}, default_timeout=30).run()
    assert not app.exception
    shown = [text.value for text in app.markdown]
    assert ("threshold 0.25" in shown) == heard
    assert ("turned to 0" in shown) == heard
