"""Where the importance comes from: the two signals, or a learned selector, which can be fitted here."""

from __future__ import annotations

import streamlit as st

from app import access, choice_box, links, selectors, state
from tokenunlearn.attribution.score_set import ScoreSet
from tokenunlearn.attribution.selector import LEAST_ROWS
from tokenunlearn.errors import TokenUnlearnError

KEY = "importance_from"


def choose(source: str, scores: ScoreSet, settings: state.TokenSettings) -> None:
    """A box of the selectors, and a button that fits one on this score set.

    Args:
        source: What tells one score set's measurements from another's.
        scores: The score set as stored, before settings and overrides.
        settings: The committed settings.
    """

    def take(selector: str) -> None:
        state.take_selector(source, scores, selector)

    def fit() -> None:
        try:
            take(selectors.fit(scores))
        except TokenUnlearnError as error:
            links.say(str(error))

    with st.expander("Learned selector"):
        choice_box.choose(
            KEY,
            "Importance from",
            ["", *selectors.files()],
            settings.selector,
            take,
            format_func=label,
            help="A selector is fitted on gold spans and combines entropy, masking and text features. "
            "While one is chosen, the mix and the importance settings have no effect.",
        )
        st.caption(
            f"{selectors.marked(scores):,} of {len(scores):,} answers have gold spans; fitting needs at "
            f"least {LEAST_ROWS}. Mark gold spans on the Data page."
        )
        st.button(
            "Fit selector",
            on_click=fit,
            disabled=selectors.marked(scores) < LEAST_ROWS or not access.may("save"),
            icon=":material/model_training:",
        )


def label(name: str) -> str:
    """What a person calls a selector."""
    selector = selectors.find(name)
    if selector is None:
        return "masking and entropy"
    return " – ".join(filter(None, (selector.name, ", ".join(selector.fitted_on))))
