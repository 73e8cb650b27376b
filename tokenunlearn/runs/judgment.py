"""The verdict on a run, out of what is stored with it and with the models that it is compared with."""

from __future__ import annotations

from contextlib import suppress
from typing import TypedDict

from tokenunlearn.errors import RunError
from tokenunlearn.evaluation.claims import Verdict
from tokenunlearn.evaluation.report import Report, stored_report
from tokenunlearn.evaluation.verdict import verdict
from tokenunlearn.runs.run import Run

VERDICT = "verdict.json"


class Evidence(TypedDict):
    """What :func:`verdict` reads beside a report."""

    attacks: Report | None
    start: Report | None
    retrained: Report | None


def run_verdict(run: Run) -> Verdict | None:
    """The verdict on a run's model; None where the run was not evaluated."""
    report = run.report
    return verdict(Report.from_values(report), **evidence_of(run)) if report else None


def evidence_of(run: Run) -> Evidence:
    """What is stored beside the evaluation of a run, as :func:`verdict` takes it.

    The start model is the run before it, or a model as it is; the retrained model is that of its report.
    """
    report, attacks = run.report, run.attacks
    if report is None:
        return Evidence(attacks=None, start=None, retrained=None)
    return Evidence(
        attacks=Report.from_values(attacks) if attacks else None,
        start=_start_report(run, report["suite"]),
        retrained=stored_report(str(report["settings"].get("retrained")), report["suite"]),
    )


def save_verdict(run: Run) -> None:
    """Write the verdict on an evaluated run into its folder."""
    judged = run_verdict(run)
    if judged is not None:
        judged.save(run.folder / VERDICT)


def _start_report(run: Run, suite: str) -> Report | None:
    """The report of a run's start model, where a model as it is has none with the run that of its suite."""
    with suppress(RunError):
        values = run.parent.report if run.parent else run.start_report
        if values:
            return Report.from_values(values)
        if not run.spec.adapter:
            return stored_report(run.spec.model, suite)
    return None
