"""What the pages share: services, state, charts, the token view. No torch here and no page layout."""

from __future__ import annotations

import streamlit as st
from streamlit.runtime.pages_manager import PagesManager


def _enter_by_the_door() -> None:
    """Have the entry script run first when a link to a page is the first thing a new server is asked for.

    Until ``st.navigation`` has been called once in a process, Streamlit takes the folder ``pages`` for
    its older kind of app and runs the page's file alone: without page config, navigation and titles.
    """
    if PagesManager.uses_pages_directory:
        PagesManager.uses_pages_directory = False
        st.rerun()


_enter_by_the_door()
