"""What runs and reports have stored: read once, and again when a file has changed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import streamlit as st

from tokenunlearn.evaluation import report
from tokenunlearn.evaluation.claims import Verdict
from tokenunlearn.evaluation.report import ReportValues
from tokenunlearn.evaluation.token_changes import TokenChange
from tokenunlearn.models.source import ModelSource
from tokenunlearn.runs import judgment
from tokenunlearn.runs.run import Run
from tokenunlearn.runs.run_files import ATTACKS_REPORT, READERS, START_REPORT, AnswerPair, StepRecord
from tokenunlearn.runs.spec import RunSpec

Weights = tuple[ModelSource, tuple[int, ...]]


def shipped_report(model: str) -> ReportValues | None:
    """The stored report of a preset, or None."""
    path = report.shipped_report_file(model)
    return read_report(path, path.stat().st_mtime) if path else None


@st.cache_resource(max_entries=32, show_spinner=False)
def read_report(path: Path, changed: float) -> ReportValues:
    """A stored report; ``changed`` is the file's time, so that a new file is read again."""
    return report.read_report(path)


def run_spec(run: Run) -> RunSpec:
    """A run's frozen spec, read once.

    Raises:
        RunError: If the run is damaged.
    """
    return _read(run.folder, "spec", stamp(run.folder / "spec.json"))


def run_report(run: Run) -> ReportValues | None:
    """A run's evaluation, read once."""
    return _read(run.folder, "report", stamp(run.folder / "report.json"))


def run_attacks(run: Run) -> ReportValues | None:
    """A run's report under attack, read once."""
    return _read(run.folder, "attacks", stamp(run.folder / ATTACKS_REPORT))


def start_report(run: Run) -> ReportValues | None:
    """The evaluation of a run's start model on own samples, read once."""
    return _read(run.folder, "start_report", stamp(run.folder / START_REPORT))


def run_verdict(run: Run) -> Verdict | None:
    """The verdict on a run, made once; None where it was not evaluated."""
    return _judged(
        run.folder, *(stamp(run.folder / name) for name in ("report.json", ATTACKS_REPORT, START_REPORT))
    )


@st.cache_resource(max_entries=32, show_spinner=False)
def _judged(folder: Path, *stamps: int) -> Verdict | None:
    """The verdict of a run's folder; ``stamps`` are its files' times."""
    return judgment.run_verdict(Run(folder))


def run_generations(run: Run) -> dict[str, list[AnswerPair]]:
    """A run's answers before and after by part, read once."""
    return _read(run.folder, "generations", stamp(run.folder / "generations.json"))


def run_records(run: Run) -> list[StepRecord]:
    """The records of a run's steps, read once."""
    return _read(run.folder, "metrics", stamp(run.folder / "metrics.jsonl"))


def run_damage(run: Run) -> list[str]:
    """A sentence for each damaged file of a run, read once."""
    return _read(run.folder, "damage", *(stamp(run.folder / name) for name in READERS))


def stamp(path: Path) -> int:
    """Time of the last change of a file; 0 for one that is not there."""
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0


def as_stored(model: ModelSource) -> Weights:
    """A model with the times of what runs changed in it, so that nothing said by earlier weights is found."""
    return model, tuple(stamp(Path(folder)) for folder in model.adapters)


@st.cache_resource(max_entries=200, show_spinner=False)
def _read(folder: Path, what: str, *stamps: int) -> Any:
    """An attribute of a run; ``stamps`` are its files' times, so that what has changed is read again."""
    return getattr(Run(folder), what)


def token_changes(run: Run) -> list[TokenChange] | None:
    """What a run did to every token of its forget set, read once; None where it kept nothing of that.

    Raises:
        TokenUnlearnError: If the file cannot be read.
    """
    changes: list[TokenChange] | None = _read(
        run.folder, "token_changes", stamp(run.folder / "tokens.parquet")
    )
    return changes
