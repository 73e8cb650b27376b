"""Compare: what the models say before and after, which tokens went, and the metrics that prove it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import streamlit as st

from app import access, services
from app.chat import chat_view
from app.compare import compare_answers, compare_views, comparison, depth_view, export, run_index, run_table
from app.compare.comparison import LETTERS, Contender
from app.compare.run_index import RunEntry
from app.glossary import meaning
from app.unlearn import command_line, run_view
from tokenunlearn.evaluation.report import ReportValues

VIEWS = ("Answers", "Ask", "Outcome", "Questions", "Tokens", "Depth", "Requests", "Settings")


def choose(comparable: list[RunEntry]) -> list[RunEntry]:
    """The runs to compare, A first; by default the newest."""
    by_id = {entry.id: entry for entry in comparable}
    if "runs" not in st.session_state and "runs" not in st.query_params:
        st.session_state["runs"] = [comparable[0].id]
        st.query_params["runs"] = comparable[0].id  # so that the address names what is shown from the start
    chosen = st.multiselect(
        "Runs to compare, in the order A, B, …",
        list(by_id),
        key="runs",
        bind="query-params",
        max_selections=len(LETTERS),
        placeholder="Choose one or more runs",
    )
    return [by_id[run_id] for run_id in chosen]


def legend(columns: list[Contender]) -> None:
    """Name, color and label of every contender, in one line."""
    with st.container(horizontal=True):
        for column in columns:
            st.html(compare_answers.name_html(column, column.title))


def gather(
    columns: list[Contender],
    chosen: list[RunEntry],
    drawn: list[tuple[str, str, Any]],
    reports: Mapping[str, ReportValues],
) -> export.Comparison:
    """Everything that the report of this comparison shows."""
    runs = dict(zip(LETTERS, chosen, strict=False))
    return export.Comparison(
        columns=columns,
        specs={letter: entry.spec for letter, entry in runs.items()},
        statuses={letter: f"{e.state.status} {e.state.message}".strip() for letter, e in runs.items()},
        metrics=comparison.metric_rows(reports),
        reports=reports,
        figures=drawn,
        answers=compare_answers.stored_rows(columns),
        changes=compare_views.changes_of(columns),
        hashes={letter: export.file_hashes(entry.run.folder) for letter, entry in runs.items()},
        commands={
            letter: command_line.command_lines(entry.spec, entry.run.folder) for letter, entry in runs.items()
        },
        verdicts=compare_views.verdicts_of(columns),
        created=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def offer_exports(
    columns: list[Contender],
    chosen: list[RunEntry],
    drawn: list[tuple[str, str, Any]],
    reports: Mapping[str, ReportValues],
) -> None:
    """The whole comparison as one file, its tables, and the commands that repeat the runs."""

    def questions() -> list[dict[str, Any]]:
        return [
            {"split": split, **row}
            for split in comparison.splits_of(reports.values())
            for row in comparison.question_rows(
                reports, split, comparison.row_metrics(reports.values(), split)
            )
        ]

    def metrics() -> list[dict[str, Any]]:
        return comparison.metric_rows(reports)

    files = {
        "Download report (HTML)": (
            "comparison.html",
            "text/html",
            lambda: export.comparison_html(gather(columns, chosen, drawn, reports)),
        ),
        "Download metrics (CSV)": ("metrics.csv", "text/csv", lambda: export.to_csv(metrics())),
        "Download metrics (JSON)": ("metrics.json", "application/json", lambda: export.to_json(metrics())),
        "Download questions (CSV)": ("questions.csv", "text/csv", lambda: export.to_csv(questions())),
        "Download questions (JSON)": (
            "questions.json",
            "application/json",
            lambda: export.to_json(questions()),
        ),
    }
    with st.expander("Export and reproduce", icon=":material/download:"):
        with st.container(horizontal=True):
            for label, (name, mime, make) in files.items():
                st.download_button(label, make, name, mime, key=f"save-{name}", on_click="ignore")
        st.caption(
            "The report is a single file that opens offline. "
            "To share this view, copy the address of the page."
        )
        st.radio(
            "Image format of the chart toolbar's camera",
            ["svg", "png"],
            horizontal=True,
            key="image",
            bind="query-params",
        )
        for column in columns:
            if column.run and column.loadable:
                compare_views.offer_model(column.name, column.run)
        for letter, entry in zip(LETTERS, chosen, strict=False):
            st.caption(f"Reproduce {letter} on the command line")
            st.code(
                command_line.command_lines(entry.spec, entry.run.folder), language="bash", wrap_lines=True
            )


def compare(entries: list[RunEntry], comparable: list[RunEntry]) -> None:
    """Everything below the table of runs."""
    chosen = choose(comparable)
    if not chosen:
        st.info("Choose a run in the table or in the box above.")
        return
    columns = comparison.contenders(chosen)
    legend(columns)
    for entry in chosen:
        run_view.show_damage(entry.run)
    compare_views.show_verdicts(columns)
    reports = compare_views.reports_of(columns)
    compare_answers.keep_stored(columns, reports)
    view = st.radio(
        "View",
        VIEWS,
        horizontal=True,
        key="view",
        bind="query-params",
        label_visibility="collapsed",
    )
    drawn = compare_views.figures(columns, entries, reports)
    if view == "Answers":
        compare_answers.show_answers(columns)
    elif view == "Ask":
        chat_view.show_runs(columns)
    elif view == "Outcome":
        compare_views.show_outcome(columns, drawn, reports)
    elif view == "Questions":
        compare_views.show_questions(reports)
    elif view == "Tokens":
        compare_views.show_tokens(columns)
    elif view == "Depth":
        depth_view.show(columns)
    elif view == "Requests":
        compare_views.show_requests(columns)
    else:
        compare_views.show_settings(columns)
    offer_exports(columns, chosen, drawn, reports)


access.admit()
st.title("Compare", help=meaning("verdict", "retrained", "utility", "gold span"))
all_runs = [*services.store().runs(), *services.shipped_store().runs()]
all_entries = run_index.entries(all_runs)
run_view.show_active([entry.run for entry in reversed(all_entries) if entry.state.active])
sound = {entry.run for entry in all_entries}
run_view.show_damaged([run for run in all_runs if run not in sound])
ended = [entry for entry in all_entries if entry.comparable]
if not ended:
    st.info("No run has finished yet.")
    st.page_link("pages/unlearn.py", label="Start a run", icon=":material/play_arrow:")
else:
    if all(services.shipped(entry.run) for entry in ended):
        st.caption("None of your runs has finished yet. Shown is the example run.")
        st.page_link("pages/unlearn.py", label="Start a run", icon=":material/play_arrow:")
    known = {entry.id for entry in ended}
    picked = st.session_state.get("runs", st.query_params.get_all("runs")) or [ended[0].id]
    run_table.show(all_entries, [run_id for run_id in picked if run_id in known])
    compare(all_entries, ended)
