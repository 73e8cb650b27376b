"""The view Requests: what led to each run's model, and how well each is forgotten after the later ones."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from app import sample_sets
from app.compare import comparison
from app.compare.comparison import ABSENT, Contender
from app.errors import show_error
from tokenunlearn.errors import TokenUnlearnError


def show(columns: Sequence[Contender]) -> None:
    """Which requests led to each run's model, and how well each is forgotten after the later ones."""
    for column in columns:
        if column.run is None:
            continue
        st.subheader(column.name)
        st.text(column.label)
        try:
            rows = comparison.request_rows(column.run.lineage)
        except TokenUnlearnError as error:
            show_error(error)
            continue
        for row in rows:
            row["forget set"] = sample_sets.set_name(row["forget set"])
        st.dataframe(
            pd.DataFrame(rows),
            hide_index=True,
            placeholder=ABSENT,
            alt="Requests as rows, in order; what was measured after each of them as columns",
        )
    st.caption(
        "Each cell: value [95 % CI] and n. Low values are forgotten. spans_recalled: share of the gold spans "
        "that the model would write after the true tokens before them. probability: length-normalized "
        "probability of the answers, where a set has no gold spans."
    )
