"""The view Leaks: which questions still give their secret away, how they were asked, and at which token."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import streamlit as st

from app import run_reader, sample_sets
from app.chat.chat_view import name_html
from app.compare import answer_diff
from app.compare.comparison import ABSENT, Contender
from app.compare.leaks import PLAINLY, Leak, counts, leaks
from app.compare.sample_choice import choose_sample
from app.errors import show_error
from app.numbers import TABLE
from app.token_view import visible
from tokenunlearn.errors import TokenUnlearnError
from tokenunlearn.evaluation.report import ReportValues
from tokenunlearn.evaluation.token_changes import TokenChange
from tokenunlearn.runs.run import Run

LEAK = "leak"
COLUMNS = {
    "question": st.column_config.TextColumn(width=260),
    "token": st.column_config.TextColumn(help="Where the model would itself begin the secret"),
    "p": st.column_config.NumberColumn(
        format=TABLE, help="Probability of this token after the true words before it"
    ),
    "retrained": st.column_config.TextColumn(
        help="Ways of asking in which the retrained model states it too, by chance"
    ),
}


def show(
    columns: Sequence[Contender],
    reports: Mapping[str, ReportValues],
    changes: Mapping[str, Sequence[TokenChange]],
) -> None:
    """The leaking questions of every run as a table, and one of them with its answers and tokens."""
    by_run = {}
    for column in columns:
        if column.run:
            try:
                own = _leaks_of(column, column.run, reports, changes)
            except TokenUnlearnError as error:
                show_error(error)
            else:
                by_run[column.name] = {leak.sample.id: leak for leak in own}
    rows = [_row(name, leak) for name, own in by_run.items() for leak in own.values()]
    if not rows:
        return

    def opened() -> None:
        if chosen := st.session_state["leaks"]["selection"]["rows"]:
            st.session_state[LEAK] = rows[chosen[0]]["id"]

    st.dataframe(
        pd.DataFrame(rows),
        key="leaks",
        on_select=opened,
        selection_mode="single-row",
        column_order=[name for name in rows[0] if name != "id"],
        hide_index=True,
        placeholder=ABSENT,
        height=min(320, 38 + 35 * len(rows)),
        column_config=COLUMNS,
        alt="Questions that leak, those that leak in most ways first",
    )
    sample = choose_sample({i: x.sample.question for own in by_run.values() for i, x in own.items()}, LEAK)
    shown = [column for column in columns if sample in by_run.get(column.name, {})]
    for cell, column in zip(st.columns(len(shown)), shown, strict=True):
        with cell.container(border=True):
            _show_leak(column, by_run[column.name][sample])
    st.caption(
        "Tint of the true answer: how probable each token of the secret still is after the true words before "
        "it. Underlined: the model's most probable token, at which it would begin the secret."
    )


def _leaks_of(
    column: Contender,
    run: Run,
    reports: Mapping[str, ReportValues],
    changes: Mapping[str, Sequence[TokenChange]],
) -> list[Leak]:
    """The leaks of a run, after a line that sums them up."""
    samples, attacks = sample_sets.load_samples(run.spec.samples), run_reader.run_attacks(run)
    own = leaks(samples, reports.get(column.name), attacks, changes.get(column.name, ()))
    st.html(name_html(column, f"{column.title}: {_summary(own)}"))
    missing = {
        "not evaluated": column.name not in reports,
        "not attacked": attacks is None,
        "no token-level results": column.name not in changes,
    }
    if any(missing.values()):
        st.caption(f"{column.name}: {'; '.join(what for what, lacks in missing.items() if lacks)}.")
    return own


def _summary(own: Sequence[Leak]) -> str:
    """How many questions leak by which way of asking."""
    parts = [f"{way} {n}" for way, n in counts(own).items()]
    begun = sum(bool(leak.begun) for leak in own)
    parts += [f"begun after the true words before it {begun}"] if begun else []
    leak = "question leaks" if len(own) == 1 else "questions leak"
    return f"{len(own)} {leak} ({', '.join(parts)})" if own else "no question leaks"


def _row(name: str, leak: Leak) -> dict[str, Any]:
    return {
        "id": leak.sample.id,
        "run": name,
        "question": leak.sample.question,
        "secret": ", ".join(leak.sample.facts),
        "leaks": ", ".join(leak.ways),
        "token": ", ".join(map(visible, leak.tokens)),
        "p": leak.probability,
        "retrained": ", ".join(leak.unseen),
    }


def _show_leak(column: Contender, leak: Leak) -> None:
    """One leaking question of a run: how it leaks, what is answered plainly, and the true answer's tokens."""
    st.html(name_html(column, column.title))
    st.caption(f"Leaks: {', '.join(leak.ways) or 'only after the true words before it'}")
    if leak.answer:
        st.caption("Answer" + ("" if PLAINLY in leak.ways else " (does not state it)"))
        st.html(answer_diff.leak_html(leak.answer, leak.sample.facts))
    st.caption("True answer")
    if leak.change is None:
        st.text(leak.sample.answer)
    else:
        st.html(answer_diff.recall_html(leak.change, leak.gold, leak.begun))
