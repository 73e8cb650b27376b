"""Notes on samples and flags for false positives, stored beside the runs under the hash of the score set."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TypedDict

import streamlit as st

from app import access, services
from app.errors import show_error
from tokenunlearn.attribution.score_set import ScoreSet
from tokenunlearn.errors import TokenUnlearnError
from tokenunlearn.files import write_json
from tokenunlearn.stored import fitted, parse_json, read_bytes


class _Stored(TypedDict):
    text: str
    false_positive: bool


@dataclass(frozen=True)
class SampleNote:
    """What a person noted on a sample.

    Attributes:
        text: The note.
        false_positive: Whether the selection marks tokens that carry no knowledge.
    """

    text: str = ""
    false_positive: bool = False


def notes_path(scores: ScoreSet) -> Path:
    """Where the notes on a stored score set are."""
    return services.store().root / "notes" / f"{scores.hash[:24]}.json"


def read_notes(scores: ScoreSet) -> dict[str, SampleNote]:
    """Notes by sample id; none where there is no file, or one that cannot be read."""
    try:
        stored = parse_json(read_bytes(notes_path(scores)), "the notes")
        notes: dict[str, _Stored] = fitted(stored, dict[str, _Stored], "the notes")
    except (OSError, TokenUnlearnError):
        return {}
    return {key: SampleNote(**note) for key, note in notes.items()}


def write_note(scores: ScoreSet, sample_id: str, note: SampleNote) -> None:
    """Store a note; an empty one is removed.

    Raises:
        TokenUnlearnError: If the visitor may not save, or the file cannot be written.
    """
    access.require("save")
    notes: Mapping[str, SampleNote] = {**read_notes(scores), sample_id: note}
    stored = {key: asdict(value) for key, value in notes.items() if value != SampleNote()}
    write_json(notes_path(scores), stored)


def show(scores: ScoreSet, sample_id: str, note: SampleNote) -> None:
    """The note of the sample in view, which is stored as it is changed."""
    own = f"{scores.hash[:12]}-{sample_id}"  # the same sample has other notes in another score set
    text_key, flag_key = f"note-{own}", f"false-positive-{own}"

    def keep(change: Callable[[SampleNote], SampleNote]) -> None:
        stored = read_notes(scores).get(sample_id, SampleNote())  # another tab may have changed the rest
        try:
            write_note(scores, sample_id, change(stored))
        except TokenUnlearnError as error:
            show_error(error)

    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.text_input(
            "Note on this sample",
            note.text,
            key=text_key,
            max_chars=500,
            placeholder="Stored with the score set",
            on_change=keep,
            args=(lambda stored: replace(stored, text=st.session_state[text_key].strip()),),
            disabled=not access.may("save"),
        )
        st.checkbox(
            "False positive",
            note.false_positive,
            key=flag_key,
            on_change=keep,
            args=(lambda stored: replace(stored, false_positive=st.session_state[flag_key]),),
            disabled=not access.may("save"),
            help="The selection marks tokens that carry no knowledge.",
        )
