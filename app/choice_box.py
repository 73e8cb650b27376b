"""A select box that acts on what is chosen, and then shows what the page says.

A browser may send a box once more after it has gone from the page, with whatever it last held; that is not a
choice. So each value shown has a box of its own, and only the box on the page acts.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import streamlit as st


def choose(
    name: str, label: str, options: Sequence[str], shown: str, take: Callable[[str], None], **look: Any
) -> None:
    """Draw the box.

    Args:
        name: Where the session keeps what the box shows.
        label: Label of the box.
        options: What can be chosen.
        shown: What holds now.
        take: Called with an option other than the one shown.
        look: Further arguments of ``st.selectbox``.
    """
    box = f"{name} {shown}"
    st.session_state[name] = st.session_state[box] = shown

    def act() -> None:
        if st.session_state[name] == shown != st.session_state[box]:
            take(st.session_state[box])

    st.selectbox(label, options, key=box, on_change=act, **look)
