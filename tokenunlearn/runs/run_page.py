"""A stored run as a notebook draws it: what it forgets, its verdict, curves, answers and figures."""

from __future__ import annotations

from contextlib import suppress
from html import escape

from tokenunlearn.errors import TokenUnlearnError
from tokenunlearn.evaluation.report import Report
from tokenunlearn.notebook import (
    NotebookView,
    answers_html,
    details,
    history_html,
    report_html,
    section,
    verdict_html,
)
from tokenunlearn.runs.judgment import run_verdict
from tokenunlearn.runs.ledger import set_title
from tokenunlearn.runs.run import Run


def run_view(run: Run) -> NotebookView:
    """Everything that a run has stored and that reads as text.

    Raises:
        RunError: If the folder holds no readable spec.
    """
    spec, state, verdict = run.spec, run.state, run_verdict(run)
    retain = f", retains {set_title(spec.retain)}" if spec.retain else ""
    rule = " ".join(f"{value:.3g}" if isinstance(value, float) else str(value) for value in run.rule.values())
    facts = f"{spec.model} forgets {set_title(spec.samples)}{retain}; token weights: {rule}"
    parts = [
        f"<p>{escape(facts)}</p>",
        f"<p>{escape(f'{state.status.capitalize()}. {state.message}'.strip())}</p>",
    ]
    parts += [verdict_html(verdict)] if verdict else []
    parts += [history_html(run.metrics)]
    parts += [
        details(
            f"{part}: {len(rows):,} answers before and after",
            answers_html(rows, ("answer", "before", "after")),
        )
        for part, rows in run.generations.items()
    ]
    with suppress(TokenUnlearnError):  # not evaluated
        parts += [details("Report", report_html(Report.load(run.folder / "report.json")))]
    title = f"{run.label} ({run.id})"
    return NotebookView(title, section(title, parts))
