"""The view Tokens: what happened to every response token of the forget set, next to its weight."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd
import streamlit as st

from app import model_work, run_reader, services
from app.chat.chat_view import name_html
from app.compare import answer_diff, compare_charts, comparison
from app.compare.chart_panel import chart
from app.compare.comparison import ABSENT, Contender, colors_of
from app.compare.offers import offer
from app.compare.sample_choice import choose_sample
from app.errors import show_error
from app.markdown import code
from app.numbers import TABLE
from app.token_view import visible
from app.unlearn.run_view import weights_move
from tokenunlearn.errors import TokenUnlearnError
from tokenunlearn.evaluation.token_changes import TokenChange, summarize


def changes_of(columns: Sequence[Contender]) -> dict[str, list[TokenChange]]:
    """Letter of a run -> its token changes, where it kept any; a damaged file shows one sentence."""
    by_run = {}
    for column in columns:
        try:
            changes = run_reader.token_changes(column.run) if column.run else None
        except TokenUnlearnError as error:
            show_error(error)
            continue
        if changes:
            by_run[column.name] = changes
    return by_run


def show(columns: Sequence[Contender]) -> None:
    """What happened to every response token of the forget set, beside the weights that were applied."""
    changes = changes_of(columns)
    for column in columns:
        stored = column.name in changes or (column.run and services.shipped(column.run))
        if column.run and column.loadable and not stored:
            offer(
                f"tokens-{column.run.id}",
                f"Compute token-level results of {column.name}",
                model_work.measure_tokens(column.run),
            )
    if not changes:
        st.info("No token-level results are stored for these runs. Compute them to see this view.")
        return
    summaries = [{"run": name, **row} for name, tokens in changes.items() for row in summarize(tokens)]
    st.dataframe(
        pd.DataFrame(summaries),
        hide_index=True,
        placeholder=ABSENT,
        alt="Median change of tokens with a weight of at least 1 and of the others, per run",
        column_config={
            "change": st.column_config.NumberColumn("median Δ log p, nats", format=TABLE),
            "low": st.column_config.NumberColumn("10th percentile", format=TABLE),
            "high": st.column_config.NumberColumn("90th percentile", format=TABLE),
            "rank_before": st.column_config.NumberColumn("median rank before", format="%.0f"),
            "rank_after": st.column_config.NumberColumn("median rank after", format="%.0f"),
        },
    )
    st.caption(
        "Tokens with a weight of at least 1 should drop far below 0; the others should stay near 0. "
        "Rank 1 is the model's most probable token."
    )
    moving = {
        name: str(column.run.spec.config["weighting"])
        for name in changes
        for column in columns
        if column.name == name and column.run and weights_move(column.run.spec)
    }
    if moving:
        weightings = ", ".join(f"{name} ({code(weighting)})" for name, weighting in moving.items())
        st.caption(
            f"The weights of {weightings} change in every step; the mean over the steps that used the "
            "sample is shown."
        )
    by_sample = {name: {change.sample_id: change for change in tokens} for name, tokens in changes.items()}
    sample = choose_sample({i: c.question for samples in by_sample.values() for i, c in samples.items()})
    shown = {name: samples[sample] for name, samples in by_sample.items() if sample in samples}
    first = next(iter(shown.values()))
    alike = {name: change for name, change in shown.items() if change.texts == first.texts}
    if len(alike) < len(shown):
        st.caption("Runs whose model tokenizes this response differently are not shown.")
    st.text(first.question)
    _show_sample([column for column in columns if column.name in alike], alike)


def _show_sample(columns: Sequence[Contender], shown: Mapping[str, TokenChange]) -> None:
    """The response of one sample under every run: tinted, as a chart, and as a table."""
    largest = max(float(-change.change.min(initial=0.0)) for change in shown.values())
    for cell, column in zip(st.columns(len(columns)), columns, strict=True):
        with cell.container(border=True):
            st.html(name_html(column, column.title))
            st.html(answer_diff.change_html(shown[column.name], largest))
    st.caption(
        f"Darker: larger drop in log-probability, up to {largest:.1f} nats. Underlined: weight of at least 1."
    )
    chart(
        "Change per token",
        "Top: change in log-probability per token. Bottom: weight during training.",
        compare_charts.token_change_bars(shown, colors_of(columns)),
    )
    table = comparison.token_rows(shown)
    for row in table:
        row["token"] = visible(row["token"])
    numbers = {
        f"{name} {column}": st.column_config.NumberColumn(format=form)
        for name in shown
        for column, form in (
            ("weight", TABLE),
            ("p before", TABLE),
            ("p after", TABLE),
            ("Δ log p", TABLE),
        )
    }
    st.dataframe(
        pd.DataFrame(table),
        hide_index=True,
        column_config=numbers,
        placeholder=ABSENT,
        alt="Response tokens as rows",
    )
