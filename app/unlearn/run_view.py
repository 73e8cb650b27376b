"""A run on a page: its live card, its curves, the list of runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Any

import pandas as pd
import streamlit as st

from app import access, background, charts, run_reader, sample_sets, services, tasks
from app.errors import show_error
from app.markdown import plain
from app.numbers import setting
from app.places import in_place
from app.unlearn.watch_view import answers_html
from tokenunlearn.attribution.controls import CONTROLS
from tokenunlearn.errors import RunError, TokenUnlearnError
from tokenunlearn.files import size_text
from tokenunlearn.runs.cost import duration_text
from tokenunlearn.runs.resume import resumable
from tokenunlearn.runs.run import Run
from tokenunlearn.runs.spec import RunSpec
from tokenunlearn.runs.state import RunState
from tokenunlearn.training.settings import NONE

BADGES = {
    "queued": ("gray", ":material/schedule:"),
    "running": ("blue", ":material/play_circle:"),
    "completed": ("green", ":material/check_circle:"),
    "stopped": ("orange", ":material/stop_circle:"),
    "cancelled": ("orange", ":material/cancel:"),
    "failed": ("red", ":material/error:"),
    "interrupted": ("red", ":material/power_off:"),
    "damaged": ("red", ":material/broken_image:"),
}
RESUME = ":material/resume:"
SHOWN_AT_ONCE = 10
TO_DISCARD = "to_discard"
COLUMNS = ["run", "status", "model", "forget set", "weights", "objective", "created (UTC)", "note", "id"]


def active_runs() -> list[Run]:
    """Runs that are still to end, in the order in which they are carried out."""
    runs = [run for run in reversed(services.store().runs()) if run.state.active]
    place = {run.id: i for i, run in enumerate(tasks.worker().waiting(), start=1)}
    return sorted(runs, key=lambda run: place.get(run.id, 0))


@in_place
def show_active(runs: Sequence[Run]) -> None:
    """Live cards of active runs and the queue; the page runs again when one of them ends."""
    if runs:
        background.watch(partial(_show_while_active, [run.id for run in runs]), beat=1.0)


def _show_while_active(ids: Sequence[str]) -> bool:
    """Show runs as they are, and say whether all of them go on."""
    runs = []
    for run_id in ids:
        with suppress(RunError):  # deleted meanwhile
            runs.append(services.store().get(run_id))
    states = {run: run.state for run in runs}
    begun = [run for run in runs if states[run].status != "queued"] or runs[:1]
    for run in begun:
        show_run(run)
    active = [run for run in runs if states[run].active]
    waiting = [run for run in active if run not in begun]
    if waiting:
        _show_queue(waiting, active)
    return len(active) == len(ids)


def _show_queue(waiting: Sequence[Run], every: Sequence[Run]) -> None:
    """The runs that wait, each to be cancelled, or all at once."""
    with st.container(border=True):
        with st.container(horizontal=True, vertical_alignment="center"):
            doing = tasks.worker().doing()
            reason = f", waiting for: {doing}" if doing else ""
            st.text(f"{len(waiting)} run{'s' if len(waiting) > 1 else ''} queued{reason}", width="stretch")
            if access.may("cancel") and st.button(
                f"Cancel all {len(every)}", key="cancel-all", icon=":material/cancel:"
            ):
                for run in reversed(every):
                    with suppress(RunError):  # it has ended meanwhile
                        services.cancel(run)
                st.rerun()
        for place, run in enumerate(waiting[:SHOWN_AT_ONCE], start=1):
            with st.container(horizontal=True, vertical_alignment="center"):
                if access.may("cancel") and st.button(
                    "Cancel", key=f"cancel-{run.id}", type="tertiary", icon=":material/close:"
                ):
                    _ask(services.cancel, run)
                st.text(f"{place}. {run.label}  ({run.id})")
            if message := run.state.message:
                st.text(message)
        if len(waiting) > SHOWN_AT_ONCE:
            st.caption(f"and {len(waiting) - SHOWN_AT_ONCE} more")


@in_place
def show_damaged(runs: Sequence[Run]) -> None:
    """Damaged runs: why each cannot be read, and how to delete it."""
    if not runs:
        return
    with st.container(border=True):
        _badge("damaged", f"{len(runs)} damaged")
        for run in runs[:SHOWN_AT_ONCE]:
            with st.container(horizontal=True, vertical_alignment="center"):
                st.text(run.state.message, width="stretch")
                _offer_deletion(run)
            _confirm_discard(run)
        if len(runs) > SHOWN_AT_ONCE:
            st.caption(f"and {len(runs) - SHOWN_AT_ONCE} more")


@in_place
def show_unstored() -> None:
    """How runs ended whose folder could not be written, or is gone."""
    for run, state in tasks.worker().unstored().items():
        with st.container(border=True, horizontal=True, vertical_alignment="center"):
            _badge(state.status)
            st.text(f"{run.id}: {state.message}", width="stretch")
            if access.may("delete") and st.button(
                "Dismiss", key=f"dismiss-{run.id}", type="tertiary", icon=":material/close:"
            ):
                services.dismiss(run)
                st.rerun()


@in_place
def show_interrupted(runs: Sequence[Run]) -> None:
    """Runs whose process ended before they did, each to be resumed, or all at once."""
    if not runs:
        return
    with st.container(border=True):
        with st.container(horizontal=True, vertical_alignment="center"):
            _badge("interrupted", f"{len(runs)} interrupted")
            st.text("They were running or queued when their process ended.", width="stretch")
            if len(runs) > 1 and st.button("Resume all", key="resume-all", icon=RESUME):
                for run in reversed(runs):
                    with suppress(TokenUnlearnError):  # resumed meanwhile, or one that cannot be
                        services.resume(run)
                st.rerun()
        for run in runs[:SHOWN_AT_ONCE]:
            with st.container(horizontal=True, vertical_alignment="center"):
                _offer_resume(run)
                st.text(f"{run.label}  ({run.id})", width="stretch")
                _offer_deletion(run)
            _confirm_discard(run)
        if len(runs) > SHOWN_AT_ONCE:
            st.caption(f"and {len(runs) - SHOWN_AT_ONCE} more")


def _badge(status: str, text: str = "") -> None:
    color, icon = BADGES[status]
    st.badge(text or status, color=color, icon=icon)  # type: ignore[arg-type]


@in_place
def show_damage(run: Run) -> None:
    """Which files of a run are damaged and count as not there."""
    for sentence in run_reader.run_damage(run):
        st.text(f"⚠ {run.label}: {sentence}")


def _ask(what: Callable[[Run], None], run: Run) -> None:
    """Ask for something and draw the page again, or say why it cannot be done."""
    try:
        what(run)
    except TokenUnlearnError as error:
        show_error(error)
    else:
        st.rerun()


def show_run(run: Run) -> None:
    """One run: status, phase, steps, ETA, curves, what was watched; how to end it while it is active."""
    state, records, watched = services.run_state(run), run.metrics, run.watched
    with st.container(border=True):
        with st.container(horizontal=True, vertical_alignment="center"):
            _badge(state.status)
            st.text(f"{run.label}  ({run.id})", width="stretch")
            _show_ends(run, state)
        _confirm_discard(run)
        if state.active:
            st.progress(
                min(max(state.done / state.total, 0.0), 1.0) if state.total else 0.0,
                text=_progress_text(run, records),
            )
        if state.message:
            st.text(state.message)
        show_damage(run)
        if records:
            steps = state.total if state.phase == "training" else int(records[-1]["step"])
            _show_curves(run, records, watched, steps)
        if watched:
            memory = watched[-1]["memory"]
            where = "GPU memory" if memory["where"] == "gpu" else "Process memory"
            st.caption(f"{where}: {size_text(memory['bytes'])} after step {watched[-1]['step']}")
            st.html(answers_html(watched))


def _show_ends(run: Run, state: RunState) -> None:
    """Stop while it is active; delete, which asks for confirmation."""
    stopping = state.active and run.cancel_requested
    may_cancel = state.active and access.may("cancel")
    if may_cancel and st.button(
        "Stop" if state.status == "running" else "Cancel",
        key=f"cancel-{run.id}",
        icon=":material/stop_circle:",
        disabled=stopping,
        help="Stops after the current step or batch and stores the weights trained so far. "
        "A model that is being loaded is loaded first.",
    ):
        _ask(services.cancel, run)
    if not state.active and resumable(run) and access.may("start"):
        _offer_resume(run)
    _offer_deletion(run, disabled=stopping)


def _offer_resume(run: Run) -> None:
    if st.button(
        "Resume",
        key=f"resume-{run.id}",
        icon=RESUME,
        help="Goes on from the last checkpoint; what is stored already is not computed again.",
    ):
        _ask(services.resume, run)


def _offer_deletion(run: Run, *, disabled: bool = False) -> None:
    if not access.may("delete"):
        return
    st.button(
        "Delete",
        key=f"discard-{run.id}",
        icon=":material/delete:",
        type="tertiary",
        disabled=disabled,
        on_click=st.session_state.update,
        args=({TO_DISCARD: run.id},),
        help="Deletes the run and all its files; an active run stops after the current step first.",
    )


def _confirm_discard(run: Run) -> None:
    if st.session_state.get(TO_DISCARD) != run.id:
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        st.text("⚠ Delete this run with its weights, metrics and answers? This cannot be undone.")
        if st.button("Delete run", key=f"remove-{run.id}", icon=":material/delete:"):
            del st.session_state[TO_DISCARD]
            _ask(services.discard, run)
        st.button("Keep run", key=f"keep-{run.id}", on_click=st.session_state.pop, args=(TO_DISCARD, None))


def _show_curves(
    run: Run, records: Sequence[Mapping[str, Any]], watched: Sequence[Mapping[str, Any]], steps: int
) -> None:
    has_spans = any(record["gold_span"] for record in watched)
    columns = st.columns(2) if has_spans else [st.container()]
    with columns[0]:
        _chart(charts.loss_curves(records, steps), f"curves-{run.id}")
        goal = "rise to its level" if "level" in records[-1] else "rise"
        st.caption(f"The forget NLL should {goal} while the retain loss stays low.{_paced(records[-1])}")
    if has_spans:
        with columns[1]:
            _chart(charts.recall_curves(watched, steps), f"recall-{run.id}")
            st.caption(
                "The share should drop on the forget set and stay level on the retained samples. "
                "Teacher-forced: a fact counts as recalled if each of its tokens is the most probable one "
                "given the true tokens before it."
            )


def _paced(record: Mapping[str, Any]) -> str:
    """That the run was behind its level, where it was."""
    left = record.get("fading") or 1.0
    return f" The run was behind its level, so β went down to {100 * left:.0f} % of it." if left < 1 else ""


def _chart(figure: Any, key: str) -> None:
    st.plotly_chart(figure, width="stretch", key=key, config={"displaylogo": False})


def _progress_text(run: Run, records: Sequence[Mapping[str, Any]]) -> str:
    state = run.state
    if run.cancel_requested:
        return "Stopping after the current step or batch; a model that is being loaded is loaded first"
    if state.phase == "waiting":
        return "Waiting for the device"
    # What the device does meanwhile is no run: those have cards, and others are listed.
    if run in tasks.worker().waiting() and (doing := tasks.worker().doing()):
        return f"Starts after: {plain(doing)}"
    if state.phase in ("", "loading"):
        return "Starting: loading the model"
    text = f"{state.phase.capitalize()}: {state.done} of {state.total}"
    if state.phase == "training" and records and (seconds := records[-1].get("seconds")):
        left = seconds / len(records) * (state.total - state.done)
        text += f" steps, about {duration_text(left)} left"
    return text


def weights_text(spec: RunSpec) -> str:
    """Which token weights a run had: its rule, and the control or weighting that took its place."""
    rule = ", ".join(setting(v) if isinstance(v, float) else str(v) for v in spec.rule.values())
    if weights_move(spec):
        return str(spec.config["weighting"])
    control = spec.config.get("control", NONE)
    if spec.config.get("weighting") in CONTROLS:  # what controls were before they had a setting of their own
        control = spec.config["weighting"]
    return {NONE: rule, "uniform": "uniform"}.get(control, f"{control} of {rule}")


def weights_move(spec: RunSpec) -> bool:
    """Whether a run's token weights were made again in each step, by a weighting of any version."""
    return spec.config.get("weighting", "selection") not in ("selection", *CONTROLS)


def run_table(runs: Sequence[Run]) -> pd.DataFrame:
    """Runs as rows: what a person tells them apart by."""
    rows: list[dict[str, Any]] = []
    for run in runs:
        state = services.run_state(run)
        row: dict[str, Any] = {"run": run.label, "status": state.status, "note": state.message, "id": run.id}
        rows.append(row)
        with suppress(RunError):  # a damaged run
            spec = run.spec
            row |= {
                "model": spec.model,
                "forget set": sample_sets.set_name(spec.samples),
                "weights": weights_text(spec),
                "objective": spec.config.get("objective", ""),
                "created (UTC)": spec.created[:16].replace("T", " "),
            }
    return pd.DataFrame(rows, columns=COLUMNS if rows else None)
