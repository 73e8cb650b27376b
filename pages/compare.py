"""Compare: the verdict and one picture of start model, runs and retrained model, then what is behind them."""

from __future__ import annotations

from functools import partial

import streamlit as st

from app import access, links, services
from app.chat import chat_view
from app.compare import (
    compare_answers,
    comparison,
    depth_view,
    evaluations,
    export_panel,
    leaks_view,
    outcome_view,
    picture,
    questions_view,
    requests_view,
    runs_view,
    settings_view,
    tokens_view,
    verdict_panel,
)
from app.compare.comparison import LETTERS, Contender
from app.compare.run_index import RunEntry, entries
from app.compare.run_table import CHOSEN
from app.glossary import meaning
from app.markdown import plain
from app.places import in_place
from app.unlearn import run_view
from tokenunlearn.evaluation.claims import Verdict
from tokenunlearn.evaluation.report import ReportValues


def check_link(everyone: list[RunEntry], comparable: list[RunEntry]) -> None:
    """Say which runs of the address are not compared, and why."""
    statuses = {entry.id: entry.state.status for entry in everyone}
    for run_id in links.read("runs"):
        if run_id not in statuses:
            links.say(partial(_left_out, run_id, "there is no such run"))
        elif run_id not in {entry.id for entry in comparable}:
            why = f"the run is {statuses[run_id]} and has nothing to compare"
            links.say(partial(_left_out, run_id, why))


def _left_out(run_id: str, why: str) -> str:
    found = map(services.find_run, st.session_state.get("runs", ()))
    return links.ignored("runs", run_id, why, ", ".join(run.label for run in found if run))


def choose(comparable: list[RunEntry]) -> list[RunEntry]:
    """The runs to compare, A first: those of the address, those chosen before on this page, or the newest."""
    by_id, names = {entry.id: entry for entry in comparable}, comparison.run_names(comparable)
    if "runs" not in st.session_state:
        asked = [run_id for run_id in st.query_params.get_all("runs") if run_id in by_id]
        kept = [run_id for run_id in st.session_state.get(CHOSEN, []) if run_id in by_id]
        st.session_state["runs"] = asked[: len(LETTERS)] or kept or [comparable[0].id]
    st.session_state["runs"] = [run_id for run_id in st.session_state["runs"] if run_id in by_id]
    chosen = st.multiselect(
        "Runs to compare, in the order A, B, …",
        list(by_id),
        key="runs",
        on_change=lambda: st.session_state.update({CHOSEN: st.session_state["runs"]}),
        format_func=names.__getitem__,
        max_selections=len(LETTERS),
        placeholder="Choose one or more runs",
    )
    if st.query_params.get_all("runs") != chosen:
        st.query_params["runs"] = chosen
    return [by_id[run_id] for run_id in chosen]


@in_place
def introduce(chosen: list[RunEntry]) -> None:
    """What the runs forget and retain, and which of their files are damaged."""
    specs = dict(zip(LETTERS, (entry.spec for entry in chosen), strict=False))
    for sentence in comparison.subjects(specs):
        st.caption(plain(sentence))
    for entry in chosen:
        run_view.show_damage(entry.run)


def show_verdict(columns: list[Contender], verdicts: dict[str, Verdict]) -> None:
    """The claims of every verdict."""
    if not verdicts:
        st.info("No run is evaluated yet, so there is no verdict.")
    for column in columns:
        if verdict := verdicts.get(column.name):
            st.html(verdict_panel.panel_html(verdict, column.title))


@in_place
def begin(columns: list[Contender], verdicts: dict[str, Verdict], reports: dict[str, ReportValues]) -> None:
    """The verdicts in a sentence each, the picture, and what is missing in it."""
    heads = {column.title: verdicts[column.name] for column in columns if column.name in verdicts}
    if heads:
        st.html(verdict_panel.heads_html(heads))
    drawn = picture.panels(reports)
    if drawn:
        st.html(picture.picture_html(columns, drawn))
        st.caption(picture.LEGEND)
    evaluations.offer_missing(columns, reports, drawn)


def compare(all_entries: list[RunEntry], comparable: list[RunEntry]) -> None:
    """The whole comparison."""
    chosen = choose(comparable)
    ids = [entry.id for entry in chosen]
    if not chosen:
        st.info("Choose a run in the box above or in the table.")
        runs_view.show(all_entries, ids)
        return
    introduce(chosen)
    columns = comparison.contenders(chosen)
    reports, verdicts = evaluations.reports_of(columns), evaluations.verdicts_of(columns)
    begin(columns, verdicts, reports)
    compare_answers.keep_stored(columns, reports)
    drawn = outcome_view.figures(columns, all_entries, reports)
    views = {
        "Verdict": lambda: show_verdict(columns, verdicts),
        "Answers": lambda: compare_answers.show_answers(columns),
        "Ask": lambda: chat_view.show_runs(columns),
        "Leaks": lambda: leaks_view.show(columns, reports, tokens_view.changes_of(columns)),
        "Outcome": lambda: outcome_view.show(columns, drawn, reports),
        "Questions": lambda: questions_view.show(reports),
        "Tokens": lambda: tokens_view.show(columns),
        "Depth": lambda: depth_view.show(columns),
        "Requests": lambda: requests_view.show(columns),
        "Settings": lambda: settings_view.show(columns),
        "Runs": lambda: runs_view.show(all_entries, ids),
    }
    tabs = st.tabs(list(views), key="view", on_change="rerun", bind="query-params")
    for tab, show in zip(tabs, views.values(), strict=True):
        if tab.open:
            with tab:
                show()
    export_panel.show(columns, chosen, drawn, reports)


@in_place
def show_none_finished(ended: list[RunEntry]) -> None:
    """That no run of one's own has finished, where that is so, and the way to start one."""
    if ended and not all(services.shipped(entry.run) for entry in ended):
        return
    if ended:
        st.caption("None of your runs has finished yet. Shown is the example run.")
    else:
        st.info("No run has finished yet.")
    st.page_link("pages/unlearn.py", label="Start a run", icon=":material/play_arrow:")


access.admit()
st.title("Compare", help=meaning("verdict", "retrained", "utility", "gold span"))
faults = st.container()
all_runs = [*services.store().runs(), *services.shipped_store().runs()]
sound = entries(all_runs)
run_view.show_active([entry.run for entry in reversed(sound) if entry.state.active])
sound_runs = {entry.run for entry in sound}
run_view.show_damaged([run for run in all_runs if run not in sound_runs])
ended = [entry for entry in sound if entry.comparable]
check_link(sound, ended)
show_none_finished(ended)
if ended:
    compare(sound, ended)
links.show_faults(faults)
