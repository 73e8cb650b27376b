"""The rows in the table of the page Data, the set they came from, and whether they differ from it."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from app.data.sample_table import Row

ROWS, KEPT, NAME, NUMBER = "rows", "kept_rows", "opened", "table"


def put(rows: Sequence[Row], name: str | None = None) -> None:
    """Make these the rows of the table; with a name they are as the set of that name is kept."""
    st.session_state[ROWS] = list(rows)
    st.session_state[NUMBER] = st.session_state.get(NUMBER, 0) + 1
    if name is not None:
        st.session_state[NAME] = name
        st.session_state[KEPT] = st.session_state[ROWS]


def rows() -> list[Row]:
    """The rows as they are now."""
    current: list[Row] = st.session_state[ROWS]
    return current


def name() -> str | None:
    """The set in the table; None before the first visit of the page."""
    opened: str | None = st.session_state.get(NAME)
    return opened


def kept() -> list[Row]:
    """The rows as the set is kept."""
    stored: list[Row] = st.session_state[KEPT]
    return stored


def changed() -> bool:
    """Whether there are changes that are not saved."""
    return name() is not None and rows() != kept()
