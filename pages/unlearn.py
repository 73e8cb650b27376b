"""Unlearn: start one run, or a grid of them, with the token weights in view, and watch them."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from app import access, controls, links, services, state
from app.controls import Source
from app.errors import show_error
from app.places import in_place
from app.unlearn import run_card, run_view, unlearn_form
from app.unlearn.run_plan import Plan
from tokenunlearn.attribution.score_set import ScoreSet
from tokenunlearn.errors import TokenUnlearnError


def launch(source: Source, scores: ScoreSet, path: Path) -> None:
    """Everything between the token weights and Start."""
    settings = state.current(str(path), scores)
    mixed, rule = settings.apply(scores), settings.rule
    with st.sidebar:
        controls.show_settings(settings, scores)
    state.write_link(settings, scores)
    try:
        weights = mixed.weights(rule)
    except TokenUnlearnError as error:
        show_error(error)
        return
    card = st.container(border=True, key=run_card.KEY)
    reading = st.container()
    try:
        with st.expander(
            "Advanced", icon=":material/tune:", key="advanced", on_change="rerun", bind="query-params"
        ):
            st.caption(
                f"Token weights: {', '.join(f'{k} {v}' for k, v in weights.rule.items())}; score set "
                f"{mixed.hash[:12]}."
            )
            plan = unlearn_form.choose(source, mixed, rule)
            show_runs(plan)
    except TokenUnlearnError as error:
        with card:
            show_error(error)
        return
    with card:
        run_card.show(plan, weights, reading)


def show_runs(plan: Plan) -> None:
    """The runs of a grid, and the command lines that do the same."""
    if len(plan.configs) > 1:
        st.text(f"The grid has {len(plan.configs)} runs, carried out one after another.")
        with st.expander("Runs in the grid"):
            st.dataframe(plan.runs.rows(), hide_index=True, width="stretch")
    with st.expander("Run from the command line"):
        st.code(plan.commands(services.store().root), language="bash", wrap_lines=True)
        if plan.scores.overrides:
            st.caption(
                "To include the overrides, download scores.parquet from the Tokens page instead of scoring "
                "again."
            )


@in_place
def show_notice() -> None:
    """Say once what the runs just started wait for."""
    if "notice" in st.session_state:
        with st.container(border=True):
            st.text(st.session_state.pop("notice"))


access.admit()
with st.sidebar:
    chosen = controls.scored_source()
st.title("Unlearn")
faults = st.container()
active = run_view.active_runs()
run_view.show_active(active)
run_view.show_unstored()
show_notice()
if chosen.scores is None or chosen.path is None:
    controls.offer_scoring(chosen)
else:
    launch(chosen.source, chosen.scores, chosen.path)
# A run that ends just now is shown once, as it was above; its card has the page run again.
others = [run for run in services.store().runs() if run not in active]
ended = [(run, services.run_state(run)) for run in others]
run_view.show_damaged([run for run, state in ended if state.status == "damaged"])
finished = [run for run, state in ended if not state.active and state.status != "damaged"]
run_view.show_interrupted([run for run in finished[1:] if run.state.status == "interrupted"])
if finished:
    st.subheader("Last run")
    run_view.show_run(finished[0])
links.show_faults(faults)
