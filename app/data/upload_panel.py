"""Fields for samples from outside: a file, a data set of the Hub, and which of their columns hold what."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st
from streamlit.runtime.uploaded_file_manager import UploadedFile

from app.data import hub_panel
from app.errors import show_error
from app.markdown import plain
from tokenunlearn.datasets.layout import Layout
from tokenunlearn.datasets.notes import file_notes
from tokenunlearn.errors import TokenUnlearnError


def offer(
    label: str, key: str, read: Callable[[UploadedFile, Layout], None], take: Callable[[str], None]
) -> None:
    """The fields, what there is to say of the file, and how far loading from the Hub is.

    Args:
        label: Of the field for a file.
        key: Of this field.
        read: Called with the file that is there; what it draws stands below the field, and what it raises.
        take: Called once with the name of a set of the Hub that has been loaded.
    """
    file = st.file_uploader(
        label,
        key=key,
        help="Optional fields: paraphrased_question, paraphrased_answer, perturbed_answer, "
        "span (character ranges or strings).",
    )
    below = st.container()
    columns = st.text_input(
        "Columns",
        key="columns",
        placeholder="recognized by name",
        max_chars=500,
        help="Which column holds what, where the names are unusual: question=frage, answer=antwort.",
    )
    every = st.toggle(
        "All assistant turns",
        key="all_turns",
        help="Make a sample of every assistant turn of a chat.",
    )
    try:
        layout = Layout.written(columns, all_turns=every, owner="The field Columns")
    except TokenUnlearnError as error:
        show_error(error)
        return
    hub_panel.offer(layout, take)
    if file is None:
        return
    with below:
        try:
            read(file, layout)
        except TokenUnlearnError as error:
            show_error(error)
            return
        for note in file_notes(file.getvalue(), file.name, layout):
            st.caption(plain(note))
