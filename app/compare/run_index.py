"""What lists and charts need of every run, read once and again only when one of its files has changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import streamlit as st

from app import run_reader
from app.charts import decimate
from tokenunlearn.errors import RunError
from tokenunlearn.evaluation.report import MetricValues
from tokenunlearn.runs.run import Run
from tokenunlearn.runs.spec import RunSpec
from tokenunlearn.runs.state import RunState

# Distinct on light and dark grounds, and neighbors also to the color-blind; gray is for models as they are.
PALETTE = ("#3b82f6", "#d97706", "#8b5cf6", "#0d9488", "#db2777", "#65a30d", "#b45309", "#0891b2")
FILES = ("spec.json", "state.json", "metrics.jsonl", "report.json", "label.txt", "tokens.parquet", "adapter")
CURVE_POINTS = 60
HEADLINE = ("forget/gold_span", "model_utility")


@dataclass(frozen=True)
class RunEntry:
    """A run as lists and charts show it.

    Attributes:
        run: The run.
        spec: Its frozen spec.
        state: Its state.
        label: What a person calls it now.
        curve: At most 60 values of the forget NLL over the steps, in nats.
        headline: Metric -> value, low, high and n, where the run has a report.
        color: The run's color in every chart.
    """

    run: Run
    spec: RunSpec
    state: RunState
    label: str
    curve: tuple[float, ...]
    headline: dict[str, dict[str, Any]] = field(default_factory=dict)
    color: str = PALETTE[0]

    @property
    def id(self) -> str:
        """The run's id."""
        return self.run.id

    @property
    def comparable(self) -> bool:
        """Whether there is something to compare: its weights, or what was measured with them."""
        return self.run.adapter is not None or (not self.state.active and bool(self.headline))


def entries(runs: Sequence[Run]) -> list[RunEntry]:
    """Entries of all runs that are not damaged, in the order given (newest first).

    The colors follow the order in which the runs were made, so a new run changes no other's color.
    """
    oldest_first = []
    for place, run in enumerate(reversed(runs)):
        try:
            entry = _entry(run.folder, tuple(run_reader.stamp(run.folder / name) for name in FILES))
        except RunError:
            continue
        settled = not entry.state.active and entry.state.status != "interrupted"
        state = entry.state if settled else run.state
        oldest_first.append(
            RunEntry(**vars(entry) | {"state": state, "color": PALETTE[place % len(PALETTE)]})
        )
    return oldest_first[::-1]


@st.cache_resource(max_entries=2000, show_spinner=False)
def _entry(folder: Path, stamps: tuple[int, ...]) -> RunEntry:
    """An entry from disk; ``stamps`` are the files' times, so that what has changed is read again."""
    run = Run(folder)
    state = run.state
    if state.status == "damaged":
        raise RunError(state.message)
    curve = [nll for r in run.metrics if (nll := r.get("forget_nll")) is not None]
    report = run.report
    metrics = report["metrics"] if report else {}
    return RunEntry(
        run=run,
        spec=run.spec,
        state=state,
        label=run.label,
        curve=tuple(curve[i] for i in decimate(curve, CURVE_POINTS)),
        headline={name: plain for name in HEADLINE if (plain := figure_of(metrics, name))},
    )


def figure_of(metrics: Mapping[str, MetricValues], name: str) -> dict[str, Any] | None:
    """One metric of a report: value, low, high, n and better; None where there is no value."""
    metric = metrics.get(name)
    if metric is None or metric["value"] is None:
        return None
    low, high = metric["interval"] or (None, None)
    return {"value": metric["value"], "low": low, "high": high, "n": metric["n"], "better": metric["better"]}
