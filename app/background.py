"""Progress of background tasks on a page: polled by a fragment, gone when they have ended."""

from __future__ import annotations

import streamlit as st

from app import services
from app.errors import show_error
from tokenunlearn.errors import TokenUnlearnError


def wait_for(key: str) -> None:
    """Show a task's progress until it ends, then run the page again; a failed task shows its one sentence."""
    task = services.tasks().get(key)
    if task is None or task.future is None:
        return
    if task.running:
        _poll(key)
        return
    error = task.future.exception()
    if isinstance(error, TokenUnlearnError):
        show_error(error)
    elif error is not None:
        st.error(f"{task.label} failed: {type(error).__name__}")
        st.code(str(error), language=None)


@st.fragment(run_every=0.5)
def _poll(key: str) -> None:
    task = services.tasks().get(key)
    if task is None or not task.running:
        st.rerun()
        return
    waiting = "waiting for the device" if not task.total else f"{task.done:,} of {task.total:,}"
    with st.container(horizontal=True, vertical_alignment="center"):
        st.progress(task.done / task.total if task.total else 0.0, text=f"{task.label}: {waiting}")
        if task.cancellable and st.button(
            "Cancel", key=f"cancel-{key}", icon=":material/cancel:", disabled=task.cancelled
        ):
            task.cancelled = True
