"""System: device, memory, what runs and waits, cache, disk, versions, settings."""

from __future__ import annotations

import streamlit as st

from app import access
from app.system import panels


@st.fragment(run_every=3.0)
def show_moving() -> None:
    """What changes while one looks."""
    left, right = st.columns(2)
    with left:
        panels.queue()
    with right:
        panels.memory()
        panels.disk()


access.admit()
st.title("System")
show_moving()
first, second = st.columns(2)
with first:
    panels.device()
    panels.versions()
with second:
    panels.settings()
