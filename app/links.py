"""What an address names: where that is not there, the page says so and what holds instead."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from app import access

# Where the session keeps what is to be said once, and the parameters that were looked at.
FAULTS, READ, ALL_READ = "link_faults", "links_read", "all_links_read"
NONE = "it is not one of the choices"


def ignored(name: str, value: str, why: str, used: str) -> str:
    """The sentence on a value of an address, or of the browser, that is left out.

    Args:
        name: Of the setting.
        value: What was left out.
        why: What it should have been.
        used: What holds now; "" for the default.
    """
    return f'The setting {name} "{value[:40]}" was ignored; {why}, so {used or "the default"} is used.'


def say(*faults: str | Callable[[], str]) -> None:
    """Have the page say these sentences once; one that is called is made at the end of the page."""
    st.session_state.setdefault(FAULTS, []).extend(faults)


def show_faults(place: DeltaGenerator) -> None:
    """Say them, at the end of a page, in a place further up."""
    _check_others()
    with place:
        for fault in st.session_state.pop(FAULTS, []):
            st.text(f"⚠ {fault if isinstance(fault, str) else fault()}")


def read(name: str) -> list[str]:
    """The values of a parameter of the address that opened the session; nothing when it is read again."""
    known = st.session_state.setdefault(READ, set())
    if name in known:
        return []
    known.add(name)
    return access.linked().get(name, [])


def check(name: str, options: Iterable[Any], shown: Callable[[Any], str] = str) -> None:
    """Have the page say which values of a parameter are none of the options, as these are shown.

    Args:
        name: Key of the widget that is bound to the parameter; called before it is drawn.
        options: What can be chosen.
        shown: What it shows of an option.
    """
    known = set(map(shown, options))
    say(*(partial(_replaced, name, value, shown) for value in read(name) if value not in known))


def _replaced(name: str, value: str, shown: Callable[[Any], str]) -> str:
    now = st.session_state.get(name)
    held = now if isinstance(now, list) else [] if now is None else [now]
    return ignored(name, value, NONE, ", ".join(map(shown, held)))


def _check_others() -> None:
    """Look at the parameters that nobody checked, of the widgets on the page that the session began with."""
    if st.session_state.get(ALL_READ):
        return
    st.session_state[ALL_READ] = True
    for name in access.linked():
        now = st.session_state.get(name)
        if isinstance(now, str | int):  # a switch is an int, too
            used = str(now) if not isinstance(now, bool) else "on" if now else "off"
            wrong = (value for value in read(name) if value.casefold() != str(now).casefold())
            say(*(ignored(name, value, NONE, used) for value in wrong))
