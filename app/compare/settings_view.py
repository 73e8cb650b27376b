"""The view Settings: what differs between the runs."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from app.compare import comparison
from app.compare.comparison import ABSENT, Contender


def show(columns: Sequence[Contender]) -> None:
    """Settings that differ between the runs; all of them on demand."""
    specs = {column.name: comparison.labeled_spec(column.run) for column in columns if column.run}
    every = st.toggle("All settings", key="all_settings", bind="query-params")
    rows = comparison.settings_rows(specs, only_different=not every)
    if rows:
        st.dataframe(
            pd.DataFrame(rows), hide_index=True, placeholder=ABSENT, alt="Settings as rows, runs as columns"
        )
    else:
        what = (
            "The runs have the same settings."
            if len(specs) > 1
            else "Select a second run to see which settings differ."
        )
        st.caption(what)
