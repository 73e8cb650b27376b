"""What an address names: where that is not there, the page says so and not only shows something else."""

from __future__ import annotations

from collections.abc import Iterable

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

# Where the session keeps what is to be said once, and the parameters that were looked at.
FAULTS, READ = "link_faults", "links_read"


def ignored(name: str, value: str, why: str) -> str:
    """The sentence on a value of an address, or of the browser, that is left out."""
    return f'The setting {name} "{value[:40]}" was ignored; {why}.'


def say(*faults: str) -> None:
    """Have the page say these sentences once."""
    st.session_state.setdefault(FAULTS, []).extend(faults)


def show_faults(place: DeltaGenerator) -> None:
    """Say them, at the end of a page, in a place further up."""
    with place:
        for fault in st.session_state.pop(FAULTS, []):
            st.text(f"⚠ {fault}")


def read(name: str) -> list[str]:
    """The values of a parameter of the address that opened the session; nothing when it is read again."""
    known = st.session_state.setdefault(READ, set())
    if name in known:
        return []
    known.add(name)
    return st.query_params.get_all(name)


def check(name: str, options: Iterable[str]) -> None:
    """Have the page say which values of a parameter are none of the options, as these are shown.

    Args:
        name: Key of the widget that is bound to the parameter; called before it is drawn.
        options: What it shows.
    """
    shown = set(options)
    say(*(ignored(name, value, "it is not one of the choices") for value in read(name) if value not in shown))
