"""Errors on a page: one sentence, in place."""

from __future__ import annotations

import streamlit as st

from tokenunlearn.errors import ColumnsError, TokenUnlearnError


def show_error(error: TokenUnlearnError) -> None:
    """The one sentence of an error, never read as markup; for columns with the field that maps them."""
    remedy = "enter in Columns: question=..., answer=..."
    sentence = f"{error.found}; {remedy}" if isinstance(error, ColumnsError) else str(error)
    with st.container(border=True):
        st.text(f"⚠ {sentence}")
