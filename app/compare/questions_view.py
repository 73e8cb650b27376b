"""The view Questions: which questions each model still answers."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
import streamlit as st

from app.compare import comparison
from app.compare.comparison import ABSENT
from app.numbers import TABLE
from tokenunlearn.evaluation.report import ReportValues

RECALLED = 0.5  # share of a question's facts above which it counts as recalled


def show(reports: Mapping[str, ReportValues]) -> None:
    """Which questions are still answered: one row a question that all reports cover."""
    splits = comparison.splits_of(reports.values())
    if not splits:
        st.info("No metrics yet. Evaluate a run to see them.")
        return
    left, middle, right = st.columns([2, 2, 1], vertical_alignment="bottom")
    split = left.selectbox("Split", splits, key="questions", bind="query-params")
    names = comparison.row_metrics(reports.values(), split or splits[0])
    usual = names.index("gold_span") if "gold_span" in names else 0
    metric = middle.selectbox("Metric", names, index=usual, key="metric", bind="query-params")
    differing = right.toggle("Only differences", key="differing", bind="query-params")
    if metric is None:
        return
    rows = comparison.question_rows(reports, split or splits[0], [metric])
    columns = [f"{metric}, {name}" for name in reports]
    if metric.startswith("gold_span"):
        counts = (
            f"{name} {sum((row.get(column) or 0) > RECALLED for row in rows)}"
            for name, column in zip(reports, columns, strict=True)
        )
        st.text(f"Fact still recalled (of {len(rows)}): {', '.join(counts)}")
    if differing:
        rows = [row for row in rows if len({row.get(column) for column in columns}) > 1]
    shares = all(0 <= (row.get(column) or 0) <= 1 for row in rows for column in columns)
    config = {
        column: st.column_config.ProgressColumn(min_value=0, max_value=1, format=TABLE, color="gray")
        if shares
        else st.column_config.NumberColumn(format=TABLE)
        for column in columns
    }
    config["question"] = st.column_config.TextColumn(width=240)  # leaves room for values on a narrow screen
    order = ["question", *columns, "answer", *(f"answer, {name}" for name in reports), "sample_id"]
    st.dataframe(
        pd.DataFrame(rows),
        hide_index=True,
        column_order=order,
        column_config=config,
        placeholder=ABSENT,
        alt="Questions as rows",
    )
    st.caption("Value per question, for the questions covered by all reports.")
