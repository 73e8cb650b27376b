"""Every sample of a score set in a table: what is selected, known and noted; a click opens one."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING

import streamlit as st

from app.markdown import plain
from app.numbers import TABLE
from app.tokens.sample_notes import SampleNote
from tokenunlearn.attribution.score_set import ScoreSet
from tokenunlearn.runs.fit import Fit

if TYPE_CHECKING:
    import pandas as pd

SAMPLE, SEARCH = "sample", "search_samples"
SHARE = partial(st.column_config.ProgressColumn, width=110, min_value=0, max_value=100, format="%.0f %%")
COLUMNS = {
    "no.": st.column_config.NumberColumn(width=45),
    "sample": st.column_config.TextColumn(width=260),
    "selected": SHARE(help="Share of the answer's tokens with a weight."),
    "secret": SHARE(help="Share of the tokens of the gold span with a weight; empty without a gold span."),
    "known": st.column_config.CheckboxColumn(help="Whether the model knows the answer; see Fit.", width=60),
    "nats": st.column_config.NumberColumn(
        "nats a token",
        help="Mean NLL of the gold span, or of the answer without one.",
        format=TABLE,
        width=90,
    ),
    "false positive": st.column_config.CheckboxColumn(width=90),
    "note": st.column_config.TextColumn(),
}


def table(scores: ScoreSet, fit: Fit, notes: Mapping[str, SampleNote], search: str = "") -> pd.DataFrame:
    """One row a sample, of those that hold every word searched for in question, answer or note.

    Args:
        scores: The score set.
        fit: How it fits the model.
        notes: Notes by sample id.
        search: Words, whatever their case.
    """
    import pandas as pd

    rows = []
    for number, (x, own) in enumerate(zip(scores.samples, fit.answers, strict=True), start=1):
        note = notes.get(x.sample_id, SampleNote())
        text = f"{x.sample_id} {x.question} {x.answer} {note.text}".casefold()
        if all(word in text for word in search.casefold().split()):
            rows.append(
                {
                    "no.": number,
                    "sample": x.question or x.answer,
                    "selected": 100 * own.selected,
                    "secret": None if own.coverage is None else 100 * own.coverage,
                    "known": own.known,
                    "nats": own.nll if own.fact_nll is None else own.fact_nll,
                    "false positive": note.false_positive,
                    "note": note.text,
                }
            )
    return pd.DataFrame(rows, columns=list(COLUMNS))


def show(scores: ScoreSet, fit: Fit, notes: Mapping[str, SampleNote]) -> None:
    """The table with its search field."""
    search = st.text_input(
        "Search samples", key=SEARCH, placeholder="words of question, answer or note", max_chars=100
    )
    shown = table(scores, fit, notes, search)
    key = f"samples-{search}"

    def opened() -> None:
        rows = st.session_state[key]["selection"]["rows"]
        if rows:
            open_sample(scores, int(shown["no."].iloc[rows[0]]) - 1)

    if shown.empty:
        st.info(f"No sample has all the words {plain(search)}.")
        return
    st.dataframe(
        shown,
        key=key,
        hide_index=True,
        width="stretch",
        height=min(420, 38 + 35 * len(shown)),
        column_config=COLUMNS,
        on_select=opened,
        selection_mode="single-row",
    )
    known = sum(answer.known for answer in fit.answers)
    st.caption(
        f"{len(shown):,} of {len(scores):,} samples; the model knows {known:,}. Click a column to sort, "
        "select a row to open its sample above."
    )


def open_sample(scores: ScoreSet, number: int) -> None:
    """Bring a sample into view, from a callback."""
    st.session_state[SAMPLE] = scores.samples[number].sample_id
