"""The live token view: a component whose sliders act in the browser and are committed on release.

The whole set's scores travel packed; the sample in view travels with what hovering over a token shows.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import streamlit as st

from app import selectors, state
from app.glossary import GLOSSARY
from app.token_view.text import context_label, labels
from tokenunlearn.attribution.importance import ImportanceSettings, knowledge_score
from tokenunlearn.attribution.reading import REPEATED, Reading
from tokenunlearn.attribution.sample_scores import SampleScores
from tokenunlearn.attribution.score_set import ScoreSet

FOLDER = Path(__file__).parent
KEY = "token_view"
STRONGEST_CONTEXTS = 3
READINGS: tuple[Reading, ...] = ("sharp", "tail", "plain")
SENTENCE_END = re.compile(r"[.!?…]+[\"'”’)\]]*\s+|[。！？]+|\n+")  # noqa: RUF001

# Control -> the word of the glossary that explains it.
WORDS = {"threshold": "threshold", "temperature": "temperature", "weights": "rule", "alpha": "mix"}
HELP = {f.name: f.metadata["help"] for f in fields(ImportanceSettings)} | {
    "copy_guard": "The importance of words that repeat the question is multiplied by "
    f"{REPEATED['sharp']:g} in the sharp reading and by {REPEATED['tail']:g} in the tail reading; in "
    "the plain reading, only their knowledge score is set to 0.",
    **{name: GLOSSARY[word] for name, word in WORDS.items()},
}


def _read(name: str) -> str:
    return (FOLDER / name).read_text(encoding="utf-8")


_mount = st.components.v2.component(
    "tokenunlearn_token_view",
    html='<div class="frame"><div class="token-view"></div></div>',
    css=_read("view.css"),
    js="".join(_read(name) for name in ("maths.js", "controls.js", "keys.js", "view.js")),
)


def show(
    source: str,
    scores: ScoreSet,
    settings: state.TokenSettings,
    index: int,
    marked: Collection[int] = (),
    turn: Callable[[int], None] = lambda _: None,
) -> None:
    """Show one sample's response with its controls; what is committed there lands in :mod:`app.state`.

    Args:
        source: What tells one score set's measurements from another's.
        scores: The score set as found, before settings and overrides.
        settings: The committed settings.
        index: Number of the sample in view.
        marked: Response positions to point out, e.g. those boxed in a chart.
        turn: Called with the number of the sample that a person steps to.
    """

    def opened() -> None:
        number = (st.session_state[KEY].get("open") or {}).get("number")
        if isinstance(number, int) and 0 <= number < len(scores):
            turn(number)

    def committed() -> None:
        commit = st.session_state[KEY].get("commit") or {}
        text = {k: v for k, v in commit.items() if isinstance(v, str)} | {"selector": settings.selector}
        changed, faults = state.from_text(text, state.defaults(scores, settings.selector), scores)
        st.session_state[state.FAULTS] = faults
        state.remember(source, scores, changed)

    learned = selectors.learned(scores, settings.selector)
    data = {
        "set": _packed(learned.hash, learned),
        "setKey": learned.hash,
        "sample": sample_data(scores.samples[index]),
        "index": index,
        "samples": len(scores),
        "settings": state.to_text(settings, scores),
        "defaults": state.to_text(state.defaults(scores, settings.selector), scores),
        "marked": sorted(int(t) for t in marked),
        "help": HELP,
        "echo": _sequence(),
    }
    on_commit: Callable[[], None] = committed
    _mount(key=KEY, data=data, on_commit_change=on_commit, on_open_change=opened)


def _sequence() -> int:
    """Number of the last commit that arrived: tells the browser which of its changes the data holds."""
    known = st.session_state.get(KEY)
    commit = known.get("commit") if isinstance(known, Mapping) else None
    return int(commit["sequence"]) if isinstance(commit, Mapping) and "sequence" in commit else 0


@st.cache_data(max_entries=16, show_spinner=False)
def _packed(score_hash: str, _scores: ScoreSet) -> dict[str, Any]:
    return pack(_scores)


def pack(scores: ScoreSet) -> dict[str, Any]:
    """The set's scores, flat and packed: float32 in nats, words numbered within each sample, as base64.

    ``learned`` is the importance that a selector gives, None where the set has none.
    """
    s = scores.settings
    readings = {}
    for reading in READINGS:
        guarded, unguarded = ([x.factor(reading, guard) for x in scores.samples] for guard in (True, False))
        readings[reading] = {
            "units": _base64(_flat([x.units[reading] for x in scores.samples]), "<i4"),
            "guarded": _base64(_flat(guarded), "<f8"),
            "unguarded": _base64(_flat(unguarded), "<f8"),
        }
    knowledge = [knowledge_score(x.losses, x.copied, s.aggregation, copy_guard=False) for x in scores.samples]
    return {
        "lengths": _base64([len(x.texts) for x in scores.samples], "<i4"),
        "knowledge": _base64(_flat(knowledge), "<f4"),
        "entropy": _base64(_flat([x.entropy for x in scores.samples]), "<f4"),
        "tailEntropy": _base64(_flat([x.tail_entropy for x in scores.samples]), "<f4"),
        "copied": _base64(_flat([x.copied for x in scores.samples]), "u1"),
        "learned": _base64(_flat(scores.importance), "<f8") if scores.selector else None,
        "reading": scores.chosen_reading,
        "readings": readings,
        "words": _base64(_flat([x.words for x in scores.samples]), "<i4"),
    }


def _flat(arrays: list[np.ndarray]) -> np.ndarray:
    return np.concatenate([*arrays, np.empty(0)])


def _base64(values: Any, kind: str) -> str:
    return base64.b64encode(np.asarray(values).astype(kind).tobytes()).decode()


def sample_data(sample: SampleScores) -> dict[str, Any]:
    """What the view shows of one sample, a list with one entry a token for each kind of fact."""
    return {
        "id": sample.sample_id,
        "texts": labels(sample),
        "ids": [int(i) for i in sample.token_ids],
        "probability": [_number(p) for p in np.exp(-sample.nll.astype(float))],
        "gold": [bool(g) for g in sample.gold],
        "repeats": "repeats the question" if sample.question else "appears earlier in the text",
        "special": [a == b for a, b in sample.offsets],
        "sentences": sentences(sample),
        "contexts": strongest_contexts(sample),
    }


def _number(value: float) -> float | None:
    """A JSON number; NaN and infinities, which JSON lacks, become None."""
    return float(f"{value:.6g}") if np.isfinite(value) else None


def sentences(sample: SampleScores) -> list[int]:
    """Number of the sentence each token starts in."""
    ends = [match.end() for match in SENTENCE_END.finditer(sample.answer)]
    return [
        int(np.searchsorted(ends, start + _blanks(text), side="right"))
        for (start, _), text in zip(sample.offsets, sample.texts, strict=True)
    ]


def _blanks(text: str) -> int:
    return len(text) - len(text.lstrip()) if text.strip() else 0


def strongest_contexts(sample: SampleScores) -> list[list[tuple[str, float]]]:
    """For each token the contexts whose masking costs it most, with the loss in nats, the strongest first."""
    if not sample.losses.size:
        return [[] for _ in sample.texts]
    losses = np.nan_to_num(sample.losses, nan=-np.inf)
    order = np.argsort(-losses, axis=0, kind="stable")[:STRONGEST_CONTEXTS]
    names = [context_label(text) for text in sample.contexts]
    return [
        [(names[c], round(float(losses[c, t]), 4)) for c in order[:, t] if losses[c, t] > 0]
        for t in range(len(sample.texts))
    ]
