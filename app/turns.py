"""Pages take turns, so that many visitors leave the worker its share of the interpreter.

A thread that trains gives the interpreter up at each operation and has to get it back from every page that is
being drawn. So pages are drawn one at a time, which costs them little since all share the interpreter anyway,
and while the worker is at work the next one waits for as long as the last one took.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import streamlit as st

from app import tasks

PATIENCE = 3.0  # seconds after which a page no longer waits for the one before it, which may be a long one
SWITCH = 0.0005  # seconds after which a thread that draws gives way to one that waits; Python's own are 0.005


@st.cache_resource
def _turn() -> threading.Semaphore:
    sys.setswitchinterval(SWITCH)
    return threading.Semaphore()


@contextmanager
def turn() -> Iterator[None]:
    """Wait for the page that is being drawn, for a while, and let the next one wait."""
    semaphore = _turn()
    got = semaphore.acquire(timeout=PATIENCE)
    begun = time.monotonic()
    try:
        yield
    finally:
        if got:
            pause = min(time.monotonic() - begun, PATIENCE) if tasks.worker().doing() else 0.0
            threading.Timer(pause, semaphore.release).start()
