"""The evaluations behind a comparison: where they are, and what starts those that are missing or smaller."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import streamlit as st

from app import access, model_work, run_reader, sample_sets, services
from app.compare import comparison, picture, retrained_model
from app.compare.comparison import Contender
from app.compare.offers import offer
from app.compare.picture import Panel
from tokenunlearn.evaluation.claims import Verdict
from tokenunlearn.evaluation.report import ReportValues
from tokenunlearn.runs.retraining import retrained_for
from tokenunlearn.runs.run import Run

EVALUATED = 24  # samples per split of a first evaluation
ALL = 10_000  # from this limit on an evaluation is called one of all samples


def reports_of(columns: Sequence[Contender]) -> dict[str, ReportValues]:
    """Contender's name -> its report, where there is one."""
    runs = [column.run for column in columns if column.run]
    measured = {run: report for run in runs if (report := run_reader.run_report(run))}
    suites = {_suite(run, measured.get(run)) for run in runs}
    reports = {}
    for column in columns:
        if column.run:
            report = measured.get(column.run)
        else:
            report = run_reader.shipped_report(column.source.name)
            if report is None or report["suite"] not in suites:
                report = _beside(column, measured)
        if report:
            reports[column.name] = report
    return reports


def _suite(run: Run, report: ReportValues | None) -> str:
    """The suite that a run is evaluated by; without a report the source of its forget set."""
    return report["suite"] if report else run_reader.run_spec(run).samples.partition(":")[0]


def _beside(column: Contender, measured: Mapping[Run, ReportValues]) -> ReportValues | None:
    """The report of a start or retrained model that was measured together with a run on own samples."""
    for run, report in measured.items():
        if column.source == comparison.start_of(run) and (start := run_reader.start_report(run)):
            return start
        if column.source.name == report["settings"].get("retrained"):
            return retrained_model.retrained_figures(report)
    return None


def verdicts_of(columns: Sequence[Contender]) -> dict[str, Verdict]:
    """Letter of a run -> the verdict on it, where it was evaluated."""
    runs = {column.name: column.run for column in columns if column.run}
    return {name: verdict for name, run in runs.items() if (verdict := run_reader.run_verdict(run))}


def limit_of(
    column: Contender, columns: Sequence[Contender], reports: Mapping[str, ReportValues]
) -> int | None:
    """Samples per split for evaluating a run: as in its own evaluation, else in another run's, else a few."""
    measured = [reports[c.name] for c in (column, *columns) if c.run and c.name in reports]
    return measured[0]["settings"]["limit"] if measured else EVALUATED


def size_text(limit: int | None) -> str:
    """How many samples an evaluation takes."""
    return "all samples" if limit is None or limit >= ALL else f"{limit} samples per split"


def offer_missing(
    columns: Sequence[Contender], reports: Mapping[str, ReportValues], drawn: Sequence[Panel]
) -> None:
    """Say which evaluations are missing or differ in size, each with what starts the one that is wanted."""
    if note := picture.size_note(drawn):
        st.caption(note)
    for column in columns:
        if column.run and column.name not in reports:
            st.text(f"{column.title} is not evaluated yet.")
        elif column.run and model_work.lacks_retrained(column.run) and access.may("start"):
            missing = f"No model that never saw the samples of {column.name} is known."
            st.caption(f"{missing} Train one under Outcome.")
    with st.container(horizontal=True):
        for column in columns:
            if column.run and column.loadable and not services.shipped(column.run):
                _offer_evaluation(column, column.run, columns, reports)
                if column.name in reports:
                    _offer_alike(column, column.run, reports, drawn)


def _offer_evaluation(
    column: Contender, run: Run, columns: Sequence[Contender], reports: Mapping[str, ReportValues]
) -> None:
    """What is not measured yet: a run, and on own samples its start model and the retrained model."""
    report, own = reports.get(column.name), sample_sets.is_own(run.spec.samples)
    limit = limit_of(column, columns, reports)
    late = report and own and not report["settings"].get("retrained") and retrained_for(run)
    if report is None or late:
        label = f"Evaluate {column.name} ({size_text(limit)})"
        offer(f"evaluate-{run.id}", label, model_work.evaluate_run(run, limit))
    start = next(c for c in columns if c.run is None and c.source == comparison.start_of(run))
    if report and own and start.name not in reports:
        label = f"Evaluate the start model of {column.name} ({size_text(limit)})"
        offer(f"start-{run.id}", label, model_work.evaluate_start(run, limit))


def _offer_alike(
    column: Contender, run: Run, reports: Mapping[str, ReportValues], drawn: Sequence[Panel]
) -> None:
    """Evaluate a run again on as many questions as the model that was evaluated on the most."""
    own = [panel.sizes for panel in drawn if column.name in panel.sizes]
    largest = {max(sizes, key=sizes.__getitem__) for sizes in own if sizes[column.name] < max(sizes.values())}
    limits = [reports[name]["settings"]["limit"] for name in largest]
    if limits:
        limit = None if None in limits else max(limits)
        label = f"Evaluate {column.name} again ({size_text(limit)})"
        offer(f"alike-{run.id}", label, model_work.evaluate_run(run, limit))
