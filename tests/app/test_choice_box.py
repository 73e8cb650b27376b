"""A select box that acts: what is chosen in it, and what a browser sends of a box that has gone."""

from __future__ import annotations

from streamlit.testing.v1 import AppTest

from tests.app.app_pages import PATIENCE


def page() -> None:
    import streamlit as st

    from app import choice_box

    def take(chosen: str) -> None:
        st.session_state["taken"].append(chosen)
        if chosen != "refused":
            st.session_state["now"] = chosen

    st.session_state.setdefault("taken", [])
    choice_box.choose("box", "Box", ["a", "b", "c", "refused"], st.session_state.setdefault("now", "a"), take)
    st.text_input("Text", key="text")


def test_a_choice_is_taken_once_and_shown():
    at = AppTest.from_function(page, default_timeout=PATIENCE).run()
    at.selectbox[0].select("b").run()
    assert at.session_state["taken"] == ["b"] and at.selectbox[0].value == "b"
    at.run()
    at.selectbox[0].select("a").run()
    assert at.session_state["taken"] == ["b", "a"] and at.selectbox[0].value == "a"


def test_a_box_shows_what_holds_where_a_choice_changes_nothing():
    at = AppTest.from_function(page, default_timeout=PATIENCE).run()
    at.selectbox[0].select("refused").run()
    assert at.session_state["taken"] == ["refused"] and at.selectbox[0].value == "a"
    at.selectbox[0].select("refused").run()
    assert at.session_state["taken"] == ["refused", "refused"]


def test_a_box_that_has_gone_from_the_page_chooses_nothing():
    at = AppTest.from_function(page, default_timeout=PATIENCE).run()
    untouched = at.selectbox[0]._widget_state
    chosen = at.selectbox[0].select("b")._widget_state
    at.run()
    for gone in (untouched, chosen):
        at.session_state["now"] = "c"
        at.run()
        states = at._tree.get_widget_states()
        states.widgets.append(gone)
        at._run(states)
        assert at.session_state["taken"] == ["b"] and at.selectbox[0].value == "c"
