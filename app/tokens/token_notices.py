"""What to know of a selection before a run: one sentence each, below the token view."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import streamlit as st

from app.markdown import code
from app.numbers import counted
from app.places import in_place
from tokenunlearn.attribution.score_set import ScoreSet
from tokenunlearn.attribution.selection_check import SelectionCheck, check_selection

SHOWN = 3  # names in a sentence before "and 2 more"


@in_place
def show(scores: ScoreSet, weights: Sequence[np.ndarray]) -> None:
    """How the importance came about, and what does not fit.

    Args:
        scores: The score set with its settings and overrides.
        weights: (T_i,) weight of each sample's tokens.
    """
    check = check_selection(scores, weights)
    st.caption(f"{origin(scores, check)}{share(check)}")
    for sentence in (*replaced(scores), *partial(check)):
        st.info(sentence, icon=":material/info:")


def origin(scores: ScoreSet, check: SelectionCheck) -> str:
    """Where the importance comes from, and why the entropy is read as it is."""
    if scores.selector is not None:
        sets = _listed(scores.selector.fitted_on or (scores.selector.name,))
        return f"Importance comes from a selector fitted on {sets}."
    words = counted(check.words, "word")
    reasons = {
        "sharp": f"the model is uncertain at {_percent(check.hesitant)} of the {words} not in the question",
        "tail": f"the entropies of the {words} not in the question do not fall into two groups",
    }
    if check.reading == "plain":
        return "Entropy reading: plain (set manually)."
    if check.reading == check.suggested:
        return f"Entropy reading: {check.reading}, because {reasons[check.reading]}."
    return (
        f"Entropy reading: {check.reading} (set manually); {check.suggested} fits better, because "
        f"{reasons[check.suggested]}."
    )


def share(check: SelectionCheck) -> str:
    """Which share of the tokens is selected, where not all are."""
    if not 0 < check.selected < check.tokens:
        return ""
    return f" {_percent(check.selected / check.tokens)} of the {check.tokens:,} tokens are selected."


def replaced(scores: ScoreSet) -> list[str]:
    """Masked tokens that were replaced and not hidden."""
    if scores.masking.get("operator") != "token":
        return []
    return [
        "Masked tokens were replaced by a mask id, as the settings say or because the model ignores the "
        "attention mask."
    ]


def partial(check: SelectionCheck) -> list[str]:
    """Words and names selected in part, which overrides or importance by token cause."""
    if not check.partial:
        return []
    are = "is" if len(check.partial) == 1 else "are"
    texts = _listed([text for _, text in check.partial])
    some = f"{len(check.partial):,} of {check.units:,}"
    return [f"{some} words and names {are} only partly selected: {texts}."]


def _percent(part: float) -> str:
    return f"{100 * part:.0f} %"


def _listed(names: Sequence[str]) -> str:
    """The first few names and how many more there are."""
    more = f" and {len(names) - SHOWN:,} more" if len(names) > SHOWN else ""
    return ", ".join(map(code, names[:SHOWN])) + more
