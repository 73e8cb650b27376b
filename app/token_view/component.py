"""The live token view: a component whose sliders act in the browser and are committed on release.

The whole set's scores travel packed; the sample in view travels with what hovering over a token shows.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

import streamlit as st

from app import links, selectors, state
from app.glossary import GLOSSARY
from tokenunlearn.attribution.score_set import ScoreSet
from tokenunlearn.attribution.token_view import payload
from tokenunlearn.attribution.token_view.page import SCRIPT, STYLE

KEY = "token_view"
# Control -> the word of the glossary that explains it.
WORDS = {"threshold": "threshold", "temperature": "temperature", "weights": "rule", "alpha": "mix"}
HELP = payload.HELP | {name: GLOSSARY[word] for name, word in WORDS.items()}

_mount = st.components.v2.component(
    "tokenunlearn_token_view",
    html='<div class="frame"><div class="token-view"></div></div>',
    css=STYLE,
    js=SCRIPT,
)


def show(
    source: str,
    scores: ScoreSet,
    settings: state.TokenSettings,
    index: int,
    marked: Collection[int] = (),
    turn: Callable[[int], None] = lambda _: None,
    pinned: int | None = None,
    pin: Callable[[int], None] = lambda _: None,
) -> None:
    """Show one sample's response with its controls; what is committed there lands in :mod:`app.state`.

    Args:
        source: What tells one score set's measurements from another's.
        scores: The score set as found, before settings and overrides.
        settings: The committed settings.
        index: Number of the sample in view.
        marked: Response positions to point out, e.g. those boxed in a chart.
        turn: Called with the number of the sample that a person steps to.
        pinned: Response position that is pinned, if any.
        pin: Called with the response position that a person pins.
    """
    learned = selectors.learned(scores, settings.selector)

    def said(event: str) -> Mapping[str, Any]:
        """What the browser says of the scores on this page; {} where it still showed others."""
        value = st.session_state[KEY].get(event)
        return value if isinstance(value, Mapping) and value.get("set") == learned.hash else {}

    def heard(event: str, name: str, below: int, call: Callable[[int], None]) -> Callable[[], None]:
        def take() -> None:
            value = said(event).get(name)
            if isinstance(value, int) and 0 <= value < below:
                call(value)

        return take

    def committed() -> None:
        commit = said("commit")
        if not commit:
            return
        selector = state.current(source, scores).selector  # the view shows it, and leaves it as it is
        text = {k: v for k, v in commit.items() if isinstance(v, str)} | {"selector": selector}
        changed, faults = state.from_text(text, state.defaults(scores, selector), scores)
        links.say(*faults)
        state.remember(source, scores, changed)

    data = {
        "set": _packed(learned.hash, learned),
        "setKey": learned.hash,
        "sample": payload.sample_data(scores.samples[index]),
        "index": index,
        "samples": len(scores),
        "settings": state.to_text(settings, scores),
        "defaults": state.to_text(state.defaults(scores, settings.selector), scores),
        "marked": sorted(int(t) for t in marked),
        "pinned": pinned,
        "help": HELP,
        "echo": _sequence(),
    }
    _mount(
        key=KEY,
        data=[data],  # of a dict, every value would be looked at as a data frame, which takes pandas
        on_commit_change=committed,
        on_open_change=heard("open", "number", len(scores), turn),
        on_pin_change=heard("pin", "token", len(scores.samples[index].texts), pin),
    )


def _sequence() -> int:
    """Number of the last commit that arrived: tells the browser which of its changes the data holds."""
    known = st.session_state.get(KEY)
    commit = known.get("commit") if isinstance(known, Mapping) else None
    return int(commit["sequence"]) if isinstance(commit, Mapping) and "sequence" in commit else 0


@st.cache_data(max_entries=16, show_spinner=False)
def _packed(score_hash: str, _scores: ScoreSet) -> dict[str, Any]:
    return payload.pack(_scores)
