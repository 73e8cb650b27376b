"""The door: page config, navigation, shared header."""

from __future__ import annotations

import streamlit as st

from app import access, rail, turns
from app.errors import show_error
from tokenunlearn.errors import TokenUnlearnError
from tokenunlearn.folders import ASSETS

LOGO = ASSETS / "icons" / "logo.svg"

st.set_page_config(page_title="TokenUnlearn", page_icon=LOGO, layout="wide")
st.logo(LOGO)
page = st.navigation(
    [
        st.Page("pages/overview.py", title="Overview", icon=":material/home:", default=True),
        st.Page("pages/data.py", title="Data", icon=":material/table_edit:"),
        st.Page("pages/tokens.py", title="Tokens", icon=":material/search_insights:"),
        st.Page("pages/unlearn.py", title="Unlearn", icon=":material/ink_eraser:"),
        st.Page("pages/compare.py", title="Compare", icon=":material/compare:"),
        st.Page("pages/present.py", title="Present", icon=":material/slideshow:"),
        st.Page("pages/system.py", title="System", icon=":material/memory:"),
    ],
    position="top" if access.is_admitted() else "hidden",
)
# The open tab's name would be faint in the theme's color on a dark ground; its bar says which one is open.
# Questions and answers are read in their own direction.
st.html(
    "<style>[data-testid='stMainBlockContainer'] { padding-top: 4.2rem; }"
    "[data-testid='stTab'][aria-selected='true'] { color: inherit; }"
    "[data-testid='stText'] * { unicode-bidi: plaintext; }</style>"
)
access.admit()
place = st.container(key=rail.KEY)
access.show_role()
with turns.turn():
    try:
        page.run()
    except TokenUnlearnError as error:
        show_error(error)
    rail.show(place, page.url_path or "overview")
