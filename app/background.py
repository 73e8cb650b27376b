"""Progress of background tasks on a page: polled by a fragment, gone when they have ended."""

from __future__ import annotations

from html import escape
from typing import Any

import streamlit as st

from app import access, services
from app.errors import show_error
from tokenunlearn.errors import TokenUnlearnError


def wait_for(key: str) -> None:
    """Show the progress of the task of a key, if there is one, until it ends; then run the page again."""
    task = services.tasks().get(key)
    if task is not None:
        result(task)


def result(task: services.Task) -> Any:
    """A task's result; None while it runs, which shows its progress, and where its error is shown instead."""
    if task.future is None or task.running:
        _poll(task)
        return None
    error = task.future.exception()
    if error is None:
        return task.future.result()
    if isinstance(error, TokenUnlearnError):
        show_error(error)
    else:
        with st.container(border=True):
            st.text(f"✖ {task.label} failed: {type(error).__name__}")
            st.code(str(error), language=None)
    return None


@st.fragment(run_every=0.5)
def _poll(task: services.Task) -> None:
    if not task.running:
        st.rerun()
    waiting = "waiting for the device" if not task.total else f"{task.done:,} of {task.total:,}"
    st.html(f'<div style="overflow-wrap: anywhere">{escape(task.label)}: {waiting}</div>')
    with st.container(horizontal=True, vertical_alignment="center"):
        st.progress(task.done / task.total if task.total else 0.0)
        if task.cancellable and access.may("cancel"):
            task.cancelled |= st.button(
                "Cancel", key=f"cancel-{task.label}", icon=":material/cancel:", disabled=task.cancelled
            )
