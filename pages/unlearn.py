"""Unlearn: launch one run or a grid of them with the token weights in view, and watch them."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from app import access, background, controls, input_panel, services, state
from app.controls import Source
from app.errors import show_error
from app.unlearn import run_plan, run_view, unlearn_form
from tokenunlearn.attribution.score_set import ScoreSet
from tokenunlearn.attribution.selection import TokenWeights
from tokenunlearn.errors import TokenUnlearnError
from tokenunlearn.runs.check import Inspection
from tokenunlearn.training.memory import FORMULA


def launch(source: Source, scores: ScoreSet, path: Path) -> None:
    """Everything between the token weights and Start."""
    settings = state.current(str(path), scores)
    mixed, rule = settings.apply(scores), settings.rule
    with st.sidebar:
        controls.show_settings(settings, scores)
    controls.show_faults()
    state.write_link(settings, scores)
    try:
        weights = mixed.weights(rule)
    except TokenUnlearnError as error:
        show_error(error)
        return
    st.caption(
        f"Token weights from the Tokens page: {', '.join(f'{k} {v}' for k, v in weights.rule.items())}; "
        f"{weights.selected:,} of {weights.tokens:,} tokens selected; score set {mixed.hash[:12]}."
    )
    plan = unlearn_form.choose(source, mixed, rule)
    if plan is None:
        return
    confirm(plan, weights)
    with st.expander("Run from the command line"):
        st.code(plan.commands(services.store().root), language="bash", wrap_lines=True)
        if mixed.overrides:
            st.caption(
                "To include the overrides, download scores.parquet from the Tokens page instead of scoring "
                "again."
            )


def confirm(plan: run_plan.Plan, weights: TokenWeights) -> None:
    """What the model reads, how many runs there are, what they take, and Start."""
    count, source = len(plan.configs), plan.source
    requested = controls.is_requested(source)
    inspection = None
    if requested:
        inspection = background.result(services.inspect(source.model, source.samples, plan.runs.retain))
    used = weights if any(config.uses_selection for config in plan.configs) else None
    findings = (inspection or Inspection()).of_runs(weights=used)
    first = plan.scores.samples[0]
    forget = services.load_samples(source.samples)
    known = findings if inspection else None
    if not (requested and input_panel.show(source, forget, first.sample_id, first.span, lambda: known)):
        input_panel.show_findings([f for f in findings if f.level == "warning"])
    if inspection and inspection.cost:
        st.caption(inspection.cost.sentence(plan.configs), help=FORMULA)
    name = "Start" if count == 1 else f"Start {count} runs"
    if count > 1:
        st.text(f"The grid has {count} runs, carried out one after another.")
        with st.expander("Runs in the grid"):
            st.dataframe(plan.runs.rows(), hide_index=True, width="stretch")
    errors = [finding for finding in findings if finding.level == "error"]
    left, right = st.columns([1, 4], vertical_alignment="center")
    pressed = left.button(
        name, type="primary", icon=":material/play_arrow:", disabled=bool(errors) or not access.may("start")
    )
    with right:
        input_panel.show_findings(errors)
    if pressed:
        with st.spinner("Creating runs"):
            before = plan.start()
        subject = f"{count} runs are" if count > 1 else f"{plan.runs.labels[0] or 'The run'} is"
        if before:
            st.session_state["notice"] = (
                f"{subject} queued behind {before} other run{'s' if before > 1 else ''}."
            )
        st.rerun()


access.admit()
with st.sidebar:
    chosen_source, stored, path = controls.scored_source()
st.title("Unlearn")
run_view.show_active(run_view.active_runs())
run_view.show_unstored()
if "notice" in st.session_state:
    with st.container(border=True):
        st.text(st.session_state.pop("notice"))
if stored is not None and path is not None:
    launch(chosen_source, stored, path)
elif path is not None:
    controls.offer_scoring(chosen_source)
ended = [(run, services.run_state(run)) for run in services.store().runs()]
run_view.show_damaged([run for run, state in ended if state.status == "damaged"])
finished = [run for run, state in ended if not state.active and state.status != "damaged"]
run_view.show_interrupted([run for run in finished[1:] if run.state.status == "interrupted"])
if finished:
    st.subheader("Last run")
    run_view.show_run(finished[0])
    st.page_link("pages/compare.py", label="Compare runs", icon=":material/compare:")
