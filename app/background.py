"""Progress of background tasks on a page: polled by a fragment, gone when they have ended."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import CancelledError
from functools import partial
from html import escape
from typing import Any

import streamlit as st

from app import access, tasks
from app.errors import show_error
from app.markdown import plain
from app.places import in_place
from tokenunlearn.errors import Cancelled, TokenUnlearnError

BEAT = 0.5  # seconds between two looks at a task


def watch(draw: Callable[[], bool], beat: float = BEAT) -> None:
    """Draw something again and again until it has ended; then run the page again.

    What has ended by the time the page itself draws it is left to the next look: a page that ran again there
    would lose a click on a button further down.

    Args:
        draw: Draws it; returns whether it goes on.
        beat: Seconds between two looks at it.
    """
    st.fragment(_look, run_every=beat)(draw, ["the page itself"])


def _look(draw: Callable[[], bool], first: list[str]) -> None:
    by_itself = not first
    first.clear()
    if not draw() and by_itself:
        st.rerun()


@in_place
def wait_for(key: str, draw: Callable[[], None] = lambda: None, beat: float = BEAT) -> Any:
    """Show the progress of the task of a key, if there is one, until it ends; then run the page again.

    Its result, once there is one; else None, and where it failed its error is shown.

    Args:
        key: The task's key.
        draw: Draws what there is of the result so far, above the progress and without a task too.
        beat: Seconds between two looks at it.
    """
    task = tasks.known().get(key)
    if task is not None and task.running:
        watch(partial(_draw, task, draw), beat)
        return None
    draw()
    return None if task is None else _outcome(task)


@in_place
def result(task: tasks.Task) -> Any:
    """The result of a task that a page starts by itself.

    None while it runs, which shows its progress, and where its error is shown instead; a cancelled one can be
    started again.
    """
    value = _outcome(task)
    if not task.running and task.cancelled and value is None:
        st.button(
            "Start again",
            key=f"again-{task.key}",
            icon=":material/refresh:",
            on_click=tasks.forget,
            args=(task,),
        )
    return value


def _outcome(task: tasks.Task) -> Any:
    if task.future is None or task.running:
        watch(partial(_draw, task))
        return None
    try:
        return task.future.result()
    except (Cancelled, CancelledError):
        st.caption(f"{plain(task.label)}: cancelled")
    except TokenUnlearnError as error:
        show_error(error)
    except Exception as error:
        with st.container(border=True):
            st.text(f"✖ {task.label} failed: {type(error).__name__}")
            st.code(str(error), language=None)
    return None


def _draw(task: tasks.Task, draw: Callable[[], None] = lambda: None) -> bool:
    if not task.running:
        return False
    draw()
    st.html(f'<div style="overflow-wrap: anywhere">{escape(task.text)}</div>')
    with st.container(horizontal=True, vertical_alignment="center"):
        st.progress(task.done / task.total if task.total else 0.0)
        if access.may("cancel"):
            st.button(
                "Cancel",
                key=f"cancel-{task.key}",
                icon=":material/cancel:",
                disabled=task.cancelled or task.final,
                on_click=tasks.cancel,
                args=(task,),
                help="A model that is being loaded, or a file that is being written, is finished first.",
            )
    return True
