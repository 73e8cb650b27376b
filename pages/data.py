"""Data: edit forget and retained samples in a table, mark their facts, keep them as a named set."""

from __future__ import annotations

import hashlib

import streamlit as st
from streamlit.runtime.uploaded_file_manager import UploadedFile

from app import access, controls, input_panel, links, sample_sets, services
from app.data import open_table, sample_table, upload_panel
from app.data.open_table import put
from app.data.sample_table import Row
from app.data.span_marker import span_marker
from app.errors import show_error
from app.glossary import meaning
from app.places import in_place
from tokenunlearn.datasets.files import parse_samples, to_csv, to_jsonl
from tokenunlearn.datasets.layout import Layout
from tokenunlearn.datasets.samples import Sample, Turn
from tokenunlearn.errors import DatasetError, TokenUnlearnError
from tokenunlearn.models.source import ModelSource

NEW = "new"
COLUMNS = {
    "id": st.column_config.TextColumn(
        "id", help="Left empty, it is set from the name of the set and the row number."
    ),
    "question": st.column_config.TextColumn("question", width="large"),
    "answer": st.column_config.TextColumn("answer", width="large"),
    "paraphrased_question": st.column_config.TextColumn("paraphrased question", width="medium"),
    "paraphrased_answer": st.column_config.TextColumn("paraphrased answer", width="medium"),
    "facts": st.column_config.ListColumn(
        "facts", help="Texts of the gold spans; mark them below the table.", width="medium"
    ),
    "perturbed_answer": st.column_config.ListColumn("wrong answers", width="medium"),
    "span": None,
    "paraphrased_span": None,
    "history": None,
    "marked_in": None,
}


def read_set(name: str) -> list[Row]:
    """The rows of a set; one empty row for a new one."""
    return [sample_table.empty_row()] if name == NEW else sample_table.to_rows(sample_sets.load_samples(name))


def shown_name(name: str) -> str:
    """What the box of sets shows."""
    return "New set" if name == NEW else sample_sets.set_name(name)


@in_place
def choose_set() -> None:
    """Which set is in the table; unsaved changes are given up only when asked to."""
    if "pending_set" in st.session_state:
        st.session_state["set"] = st.session_state.pop("pending_set")
    own = sample_sets.uploads()
    embedded = sample_sets.SETS["authors"]
    options = dict.fromkeys([NEW, *own, *embedded, *embedded.values()])
    links.check("set", options, shown_name)
    name = st.selectbox(
        "Open",
        list(options),
        key="set",
        bind="query-params",
        persist_state="session",
        format_func=shown_name,
    )
    opened = open_table.name()
    if name == opened:
        return
    if not open_table.changed():
        open_set(name)
        st.rerun()
    st.text(f"⚠ The changes to {title(opened)} are not saved.")
    st.button("Discard changes", on_click=open_set, args=(name,), icon=":material/delete:")
    st.button("Keep editing", on_click=st.session_state.update, args=({"pending_set": opened},))


def open_set(name: str) -> None:
    """Put a set into the table; where it cannot be read, say why and begin a new one."""
    try:
        put(read_set(name), name)
    except TokenUnlearnError as error:
        links.say(str(error))
        put(read_set(NEW), NEW)
        st.session_state["pending_set"] = NEW
    else:
        hand_on(name, name)


def hand_on(name: str, origin: str) -> None:
    """Let the other pages use a set as they used its origin: as retained samples, else to forget."""
    if origin == st.session_state.get("retain"):
        st.session_state["pending_retain"] = name
    else:
        controls.take_samples(name)


def open_hub_set(name: str) -> None:
    """Choose a set that was just loaded."""
    st.session_state["pending_set"] = name
    st.rerun()


def title(name: str) -> str:
    """What the set in the table is called."""
    return "the new set" if name == NEW else sample_sets.set_name(name)


def add(file: UploadedFile, layout: Layout) -> None:
    """Add the samples of a file to the table, on request.

    Raises:
        DatasetError: If it is no file of samples.
    """
    samples = parse_samples(file.getvalue(), file.name, layout)
    rows = sample_table.to_rows(samples)
    plural = "" if len(samples) == 1 else "s"
    if st.button(f"Add {len(samples):,} sample{plural}", icon=":material/add:"):
        put([*filter(sample_table.has_text, open_table.rows()), *rows])
        st.rerun()


def table_key() -> str:
    """Key of the table with the present rows."""
    return f"table-{st.session_state[open_table.NUMBER]}"


@in_place
def edit() -> list[Row]:
    """The table; the rows as they are now."""
    key = table_key()
    if key not in st.session_state:  # a new table, or back from another page
        st.session_state["base"] = open_table.rows()
    table = sample_table.to_table(st.session_state["base"])

    def take() -> list[str]:
        rows, notes = sample_table.from_table(sample_table.edited(table, st.session_state[key]))
        if key == table_key():  # a browser may still send a table that was replaced
            st.session_state[open_table.ROWS] = rows
        return notes

    # Taken before the script runs, too: another page that is opened at once would draw no table.
    st.data_editor(
        table,
        key=key,
        on_change=take,
        num_rows="dynamic",
        hide_index=True,
        width="stretch",
        height=320,
        column_config=COLUMNS,
        disabled=["facts"],
    )
    for note in take():
        st.text(f"⚠ {note}")
    return open_table.rows()


@in_place
def mark(rows: list[Row]) -> None:
    """Mark the facts of one answer, by selecting text or by typing it, and see its tokens."""
    filled = [i for i, row in enumerate(rows) if row["answer"].strip()]
    st.subheader("Gold spans", help=meaning("gold span"))
    if not filled:
        st.caption("Enter an answer in the table to mark its facts here.")
        return
    number = st.selectbox(
        "Row", filled, key="row", format_func=lambda i: f"{i + 1}: {rows[i]['question'] or rows[i]['answer']}"
    )
    row = rows[number]
    st.caption(meaning("gold span"))
    digest = hashlib.sha256(row["answer"].encode("utf-8", "replace")).hexdigest()[:8]
    changed = span_marker(row["answer"], row["span"], key=f"marker-{number}-{digest}")
    typed, button = st.columns([3, 1], vertical_alignment="bottom")
    fact = typed.text_input(
        "Or enter the fact exactly as in the answer", key=f"fact-{number}-{digest}", max_chars=500
    )
    try:
        if changed is not None:
            marked = sample_table.set_spans(row, changed)
        elif button.button("Mark fact", icon=":material/ink_highlighter:", width="stretch"):
            marked = sample_table.mark_fact(row, fact)
        else:
            marked = row
    except DatasetError as error:
        show_error(error)
        return
    if marked is not row:
        put([*rows[:number], marked, *rows[number + 1 :]])
        st.rerun()
    preview(row)


def preview(row: Row) -> None:
    """The tokens of a row, as the chosen model reads them."""
    toggle, which = st.columns([1, 2], vertical_alignment="bottom")
    model = which.selectbox("Model", services.model_names(), key="preview_model")
    if not toggle.toggle("Show tokens", key="preview", help="Loads the model's tokenizer."):
        return
    history = tuple(Turn(**turn) for turn in row["history"])
    sample = Sample("preview", row["question"], row["answer"], history=history)
    input_panel.show_tokens(ModelSource(str(model)), [sample], sample.id, row["span"])


def save(rows: list[Row]) -> None:
    """Keep the table as a named set, and download it."""
    st.subheader("Save")
    name = st.text_input("Name of the set", key="set_name", placeholder="cities", max_chars=60).strip()
    samples, faults = sample_table.check(rows, name or "row")
    dirty = open_table.changed()
    line = st.container(horizontal=True, vertical_alignment="center")
    pressed = access.may("save") and line.button("Save", type="primary", icon=":material/save:")
    stem = name if sample_sets.SET_NAME.fullmatch(name) else "samples"
    for ending, content in (("jsonl", to_jsonl), ("csv", to_csv)):
        line.download_button(
            f"Download as {ending.upper()}",
            content(samples),
            f"{stem}.{ending}",
            icon=":material/download:",
            key=f"download-{ending}",
            disabled=not samples,
            on_click="ignore",
        )
    with line:
        plural = "" if len(samples) == 1 else "s"
        st.caption(f"{len(samples):,} sample{plural}" + (", unsaved changes" if dirty else ""))
    if pressed and not faults:
        try:
            saved_name = sample_sets.save_set(samples, name)
        except TokenUnlearnError as error:
            show_error(error)
            return
        hand_on(saved_name, str(open_table.name()))
        put(sample_table.to_rows(samples), saved_name)
        st.session_state["pending_set"] = st.session_state["saved"] = saved_name
        st.rerun()
    if faults and (dirty or pressed):
        if any(map(sample_table.has_text, rows)):
            st.caption("Invalid rows (kept in the table, left out of downloads):")
        for fault in faults[:20]:
            st.text(f"⚠ {fault}")
        if len(faults) > 20:
            st.caption(f"and {len(faults) - 20:,} more")


@in_place
def show_saved() -> None:
    """Say once under which name the set was saved, and where it goes on."""
    if "saved" not in st.session_state:
        return
    saved = st.session_state.pop("saved")
    name = sample_sets.set_name(saved)
    use = "forget set" if st.session_state.get("pending_samples") == saved else "retained samples"
    with st.container(border=True):
        st.text(f"Saved as {name}, now the {use} on the Tokens and Unlearn pages.")
        st.page_link(
            "pages/tokens.py",
            label="Open on the Tokens page",
            icon=":material/search_insights:",
            query_params={"samples": name},
        )


access.admit()
st.title("Data")
faults = st.container()
show_saved()
if open_table.name() is None:
    open_set(NEW)
rows_now = edit()  # before anything that replaces the rows, so that no edit is left out
with st.sidebar:
    choose_set()
    if access.may("upload"):
        upload_panel.offer("Add samples from JSON, CSV or Parquet", "add_file", add, open_hub_set)
mark(rows_now)
save(rows_now)
links.show_faults(faults)
