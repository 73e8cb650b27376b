"""The table of all runs: choose runs, rename them, see their status and how their forget NLL went."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import streamlit as st

from app import access, links, sample_sets, services
from app.compare.comparison import ABSENT, LETTERS, RUN_MARKS
from app.compare.run_index import RunEntry
from app.glossary import meaning
from app.numbers import TABLE
from app.unlearn import run_view
from tokenunlearn.errors import TokenUnlearnError

# Where the session keeps the runs that a person has chosen, for the next visit of the page.
CHOSEN = "chosen_runs"
# Where it keeps what was taken over from each table.
TAKEN = "taken_edits"
PAGE_SIZE = 10
SHOWN = (
    "compare",
    "mark",
    "label",
    "status",
    "forget NLL",
    "still recalled",
    "utility",
    "questions",
    "weights",
    "created (UTC)",
)
MORE = ("model", "forget set", "objective", "regularizer", "steps", "note", "id")


def rows(entries: Sequence[RunEntry], chosen: Sequence[str]) -> list[dict[str, Any]]:
    """Runs as rows; ``chosen`` are ids in the order A, B, ..."""
    letters = {run_id: f"{m} {letter}" for run_id, m, letter in zip(chosen, RUN_MARKS, LETTERS, strict=False)}
    table = []
    for entry in entries:
        spec = entry.spec
        headline = {name: figure["value"] for name, figure in entry.headline.items()}
        table.append(
            {
                "compare": entry.id in letters,
                "mark": letters.get(entry.id, RUN_MARKS[0]),
                "label": entry.label,
                "status": entry.state.status,
                "forget NLL": list(entry.curve),
                "still recalled": headline.get("forget/gold_span"),
                "utility": headline.get("model_utility"),
                "questions": entry.headline.get("forget/gold_span", {}).get("n"),
                "weights": run_view.weights_text(spec),
                "created (UTC)": spec.created[:16].replace("T", " "),
                "model": spec.model,
                "forget set": sample_sets.set_name(spec.samples),
                "objective": spec.config.get("objective", ABSENT),
                "regularizer": spec.config.get("regularizer", ABSENT),
                "steps": spec.config.get("steps"),
                "note": entry.state.message,
                "id": entry.id,
            }
        )
    return table


def show(entries: Sequence[RunEntry], chosen: Sequence[str]) -> None:
    """One page of the table; ticking a row chooses the run, editing a label renames it."""
    head, toggle = st.columns([3, 1], vertical_alignment="bottom")
    with toggle:
        every = st.toggle("All columns", key="columns", bind="query-params")
    pages = -(-len(entries) // PAGE_SIZE)
    with head:
        page = st.pagination(pages, key="page", bind="query-params") if pages > 1 else 1
    part = entries[(page - 1) * PAGE_SIZE : page * PAGE_SIZE]
    table = pd.DataFrame(rows(part, chosen))
    colors = [entry.color for entry in part]
    columns = [*SHOWN, *(MORE if every else ())]
    editable = ("compare", "label") if access.may("rename") else ("compare",)
    number = st.session_state.setdefault("edits", 0)
    editor = f"runs-table-{page}-{number}"
    st.data_editor(
        table.style.apply(lambda _: [f"color: {c}; font-weight: 700" for c in colors], subset=["mark"]),
        column_order=columns,
        disabled=[name for name in table.columns if name not in editable],
        hide_index=True,
        key=editor,
        on_change=_apply,
        args=(editor, part),
        column_config={
            "compare": st.column_config.CheckboxColumn("", width=36, help="Compare this run"),
            "mark": st.column_config.TextColumn(
                "", width=48, help="Color and letter of the run in every chart"
            ),
            "label": st.column_config.TextColumn("label", max_chars=80, help="Double-click to rename"),
            "forget NLL": st.column_config.LineChartColumn(
                "forget NLL",
                help=meaning("NLL", "nats", after="Weighted NLL of the forget tokens per step, nats"),
                color="gray",
            ),
            "still recalled": st.column_config.NumberColumn(
                "facts still recalled",
                format=TABLE,
                help="Share of the forget-set facts that the model still recalls; lower is better",
            ),
            "utility": st.column_config.NumberColumn("utility", format=TABLE, help=meaning("utility")),
            "questions": st.column_config.NumberColumn(
                "questions",
                format="%d",
                help="Forget-set questions behind these figures; compare only equal numbers.",
            ),
        },
        placeholder=ABSENT,
        alt="Runs, newest first: tick a row to compare the run, edit its label to rename it",
    )


def _apply(editor: str, part: Sequence[RunEntry]) -> None:
    """Take over what was edited in a table, each change once: runs chosen, labels.

    After an edit the page draws a new table; until it is there, a browser sends the old one again, with
    further edits or without.
    """
    edited: Mapping[int, Mapping[str, Any]] = st.session_state[editor]["edited_rows"]
    taken = st.session_state.setdefault(TAKEN, {})
    before, taken[editor] = taken.get(editor, {}), edited
    chosen: list[str] = list(st.session_state.get("runs", []))
    for place, row in edited.items():
        entry = part[int(place)]
        changes = dict(row.items() - before.get(place, {}).items())
        if "label" in changes and access.may("rename") and not services.shipped(entry.run):
            try:
                services.rename(entry.run, changes["label"] or "")
            except TokenUnlearnError as error:  # it is gone
                links.say(str(error))
        if changes.get("compare") and entry.id not in chosen and entry.comparable:
            chosen = [*chosen[: len(LETTERS) - 1], entry.id]
        elif changes.get("compare") is False and entry.id in chosen:
            chosen.remove(entry.id)
    st.session_state["runs"] = st.session_state[CHOSEN] = chosen
    st.session_state["edits"] += 1
