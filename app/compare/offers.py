"""Buttons of the page Compare that have the worker measure or write something, with its progress."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import streamlit as st

from app import access, background, tasks


def offer(
    key: str,
    label: str,
    work: Callable[[tasks.Task], Any],
    icon: str = ":material/analytics:",
    text: str | None = None,
) -> None:
    """A button that starts work for those who may start some, and the progress of the work.

    Args:
        key: Key of the task.
        label: What the button and the task are called.
        work: What the worker does.
        icon: Of the button.
        text: Help of the button.
    """
    if access.may("start") and st.button(label, icon=icon, key=f"button-{key}", help=text):
        tasks.start(key, label, work)
    background.wait_for(key)
