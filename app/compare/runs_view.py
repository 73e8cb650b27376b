"""The view Runs: the table of all runs, and what each value of a setting comes to."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from app.compare import run_table
from app.compare.chart_panel import chart
from app.compare.run_groups import group_chart, group_rows, grouped
from app.compare.run_index import RunEntry
from app.markdown import code

UNGROUPED = "nothing"


def show(entries: Sequence[RunEntry], chosen: Sequence[str]) -> None:
    """The table of runs, in which runs are chosen and renamed, and its runs grouped by a setting.

    Args:
        entries: All runs.
        chosen: Ids of the compared ones, in the order A, B, ...
    """
    run_table.show(entries, chosen)
    settings = grouped(entries)
    if not settings:
        return
    setting = st.selectbox("Group by", [UNGROUPED, *settings], key="group", bind="query-params")
    if setting is None or setting == UNGROUPED:
        return
    groups = settings[setting]
    chart(
        "Runs by setting",
        f"A point is a run, in its color; a line is the mean of several runs with the same {code(setting)}.",
        group_chart(setting, groups),
    )
    st.dataframe(
        pd.DataFrame(group_rows(setting, groups)),
        hide_index=True,
        alt="Values of the setting as rows: runs, questions, mean and range of the headline figures",
    )
    if len({n for group in groups for n in group.sizes}) > 1:
        st.caption(
            "These runs were evaluated on different numbers of questions; compare only those with equal ones."
        )
