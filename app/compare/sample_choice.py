"""The choice of a sample in a view of a comparison: by its question, which also names it in the address."""

from __future__ import annotations

from collections.abc import Mapping

import streamlit as st

from app import links


def choose_sample(questions: Mapping[str, str], key: str = "sample") -> str:
    """Id of the sample in view.

    Args:
        questions: Id -> question of at least one sample.
        key: Of the choice in the session and in the address.
    """
    names = {i: f"{n}. {question or i}" for n, (i, question) in enumerate(questions.items(), start=1)}
    links.check(key, names, names.__getitem__)
    chosen = st.selectbox("Sample", list(names), key=key, bind="query-params", format_func=names.__getitem__)
    return str(chosen)
