"""A run on a page: its live card, its curves, the list of runs."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import pandas as pd
import streamlit as st

from app import charts, services
from app.errors import show_error
from tokenunlearn.errors import RunError
from tokenunlearn.runs.store import Run

BADGES = {
    "queued": ("gray", ":material/schedule:"),
    "running": ("blue", ":material/play_circle:"),
    "completed": ("green", ":material/check_circle:"),
    "failed": ("red", ":material/error:"),
    "cancelled": ("orange", ":material/cancel:"),
}


def active_runs() -> list[Run]:
    """Runs that are still to end, the oldest first."""
    return [run for run in reversed(services.store().runs()) if run.state.active]


def show_active(runs: Sequence[Run]) -> None:
    """Live cards of active runs; the page runs again when one of them ends."""
    if runs:
        _live([run.id for run in runs])


@st.fragment(run_every=1.0)
def _live(ids: list[str]) -> None:
    runs = []
    for run_id in ids:
        try:
            run = services.store().get(run_id)
        except RunError:  # deleted meanwhile
            st.rerun()
        if not run.state.active:
            st.rerun()
        runs.append(run)
    for run in runs:
        show_run(run)


def show_run(run: Run) -> None:
    """One run: status, phase, steps, ETA, loss curves, and Cancel while it is active."""
    state, records = run.state, run.metrics
    with st.container(border=True):
        head, button = st.columns([4, 1], vertical_alignment="center")
        with head:
            colour, icon = BADGES[state.status]
            st.badge(state.status, color=colour, icon=icon)  # type: ignore[arg-type]
            st.text(f"{run.spec.label}  ({run.id})")
        if state.active:
            asked = run.cancel_requested
            if button.button("Cancel", key=f"cancel-{run.id}", icon=":material/stop_circle:", disabled=asked):
                try:
                    run.request_cancel()
                except RunError as error:
                    show_error(error)
            st.progress(state.done / state.total if state.total else 0.0, text=_progress_text(run, records))
        if state.message:
            st.text(state.message)
        if records:
            st.plotly_chart(
                charts.loss_curves(records),
                width="stretch",
                key=f"curves-{run.id}",
                config={"displaylogo": False},
            )
            st.caption("The NLL of the weighted forget tokens should rise while the retain loss stays low.")


def _progress_text(run: Run, records: Sequence[dict[str, float]]) -> str:
    state = run.state
    if state.status == "queued":
        return "Waiting for the runs before it"
    if run.cancel_requested:
        return "Stopping after this step"
    text = f"{state.phase}: {state.done} of {state.total}"
    if state.phase == "training" and records:
        left = records[-1]["seconds"] / len(records) * (state.total - state.done)
        text += f", about {left:.0f} s left"
    return text


def run_table(runs: Sequence[Run]) -> pd.DataFrame:
    """Runs as rows: what a person tells them apart by."""
    rows: list[dict[str, Any]] = []
    for run in runs:
        try:
            spec, state = run.spec, run.state
        except RunError:
            continue
        started = datetime.fromisoformat(spec.created)
        rows.append(
            {
                "run": spec.label,
                "status": state.status,
                "model": spec.model,
                "forget set": spec.samples,
                "weights": ", ".join(
                    f"{v:g}" if isinstance(v, float) else str(v) for v in spec.rule.values()
                ),
                "objective": spec.config["objective"],
                "created (UTC)": started.strftime("%Y-%m-%d %H:%M"),
                "note": state.message,
                "id": run.id,
            }
        )
    return pd.DataFrame(rows)
