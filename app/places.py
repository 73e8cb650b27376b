"""A place of its own on a page for what is shown only at times, so that nothing below it moves.

A browser knows an element by its place. Where one above comes or goes, those below are made again: text being
typed in a field is lost, and an expander closes.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

import streamlit as st

P = ParamSpec("P")
R = TypeVar("R")


def in_place(draw: Callable[P, R]) -> Callable[P, R]:
    """Let a function that shows something only at times do so in a container that is always there."""

    @wraps(draw)
    def drawn(*args: P.args, **kwargs: P.kwargs) -> R:
        with st.container():
            return draw(*args, **kwargs)

    return drawn
