"""Errors on a page: one sentence, in place."""

from __future__ import annotations

import streamlit as st

from tokenunlearn.errors import TokenUnlearnError


def show_error(error: TokenUnlearnError) -> None:
    """The one sentence of an error, never read as markup."""
    with st.container(border=True):
        st.text(f"⚠ {error}")
