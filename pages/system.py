"""System: device, memory, what runs and waits, cache, disk, versions, settings."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from app import access
from app.system import panels


@st.fragment(run_every=3.0)
def refresh(*shown: Callable[[], None]) -> None:
    """Panels of what changes while one looks."""
    for panel in shown:
        panel()


access.admit()
st.title("System")
left, right = st.columns(2)
with left:
    refresh(panels.queue)
    panels.device()
    panels.versions()
with right:
    refresh(panels.memory, panels.disk)
    panels.settings()
