"""A field that loads a data set of the Hub by its id, as the library does."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from app import background, sample_sets, tasks
from app.errors import show_error
from tokenunlearn.datasets.layout import Layout, with_layout
from tokenunlearn.errors import TokenUnlearnError

LOADING, TAKEN = "hub_loading", "hub_taken"


def offer(layout: Layout, take: Callable[[str], None]) -> None:
    """The field, its button, and how far loading is.

    Args:
        layout: Which columns hold what.
        take: Called once with the name of a set that has been loaded, "hf:owner/name".
    """
    with st.container(horizontal=True, vertical_alignment="bottom"):
        hub_id = st.text_input(
            "Hub dataset",
            key="hub_id",
            placeholder="owner/name:train",
            max_chars=200,
            help="OWNER/NAME, OWNER/NAME[CONFIG]:SPLIT or OWNER/NAME:train[:500]; without a split, train. "
            "Code that comes with a data set is not run.",
        )
        pressed = st.button("Load", key="hub_load", icon=":material/cloud_download:", disabled=not hub_id)
    if pressed:
        _load(hub_id, layout)
    name = st.session_state.get(LOADING, "")
    task = tasks.known().get(sample_sets.hub_key(name))
    background.wait_for(sample_sets.hub_key(name))
    if task and not task.running and name in sample_sets.uploads() and st.session_state.get(TAKEN) != name:
        st.session_state[TAKEN] = name
        take(name)


def _load(hub_id: str, layout: Layout) -> None:
    try:
        what = f"hf:{hub_id.strip().removeprefix('hf:')}"
        name = with_layout(what, layout.columns, all_turns=layout.all_turns)
        sample_sets.load_hub_set(name)
    except TokenUnlearnError as error:
        show_error(error)
        return
    st.session_state[LOADING] = name
    st.session_state.pop(TAKEN, None)
