"""The panels of the page System, one function each."""

from __future__ import annotations

from html import escape

import streamlit as st

from app import background, tasks
from app.system import facts
from app.unlearn import run_view

DEVICE = "system device"  # key of the task that looks for it
STYLE = """<style>
.sy { border-collapse: collapse; width: 100%; font-size: .9rem; }
.sy caption { text-align: start; font-weight: 600; font-size: 1rem; padding-bottom: .3rem; }
.sy th, .sy td { text-align: start; vertical-align: top; padding: .25rem .8rem .25rem 0; border: 0;
  font-weight: normal; overflow-wrap: anywhere; unicode-bidi: isolate; }
.sy th { width: 34%; min-width: 7rem; opacity: .75; }
.sy td { font-variant-numeric: tabular-nums; }
</style>"""


def device() -> None:
    """The device; it is known when the worker has imported torch."""
    task = tasks.known().get(DEVICE)
    task = task or tasks.start(DEVICE, "Looking for a GPU", facts.device, "ask")
    panel("Device", background.result(task) or [])


def memory() -> None:
    """Memory in use and free."""
    task = tasks.known().get(DEVICE)
    panel("Memory", facts.memory(imported=task is not None and not task.running))


def queue() -> None:
    """What runs and what waits for the device."""
    rows = facts.queue(run_view.active_runs(), list(tasks.known().values()))
    panel("Running and waiting", rows or [("nothing", "")])


def disk() -> None:
    """Cache, runs and the space left."""
    panel("Disk", facts.disk())


def versions() -> None:
    """Versions of the main packages."""
    panel("Versions", facts.versions())


def settings() -> None:
    """How the app is set up."""
    panel("Settings", facts.settings())


def panel(title: str, rows: facts.Rows) -> None:
    """Rows under a heading; their texts are escaped."""
    with st.container(border=True):
        st.html(table_html(title, rows))


def table_html(title: str, rows: facts.Rows) -> str:
    """Names and texts as a table, as safe HTML."""
    cells = ((escape(name), escape(text)) for name, text in rows)
    lines = "".join(f'<tr><th scope="row">{name}</th><td>{text}</td></tr>' for name, text in cells)
    return f'{STYLE}<table class="sy"><caption>{escape(title)}</caption>{lines}</table>'
