"""Present: stored results of real runs as slides for a non-technical audience."""

from __future__ import annotations

from collections import Counter

import streamlit as st

from app import access, services
from app.errors import show_error
from app.present import slide_view
from app.present.arrow_keys import arrow_keys
from app.present.presentation import make_slides
from app.present.slides import Slide
from app.unlearn import run_view
from tokenunlearn.errors import TokenUnlearnError
from tokenunlearn.runs.run import Run


def stored_runs() -> dict[str, Run]:
    """Readable runs that have ended and kept their answers: evaluated ones first, then the newest."""
    finished = []
    for run in [*services.store().runs(), *services.shipped_store().runs()]:
        state = run.state
        if not state.active and state.status != "damaged" and services.run_generations(run):
            finished.append(run)
    evaluated_first = sorted(finished, key=lambda run: not services.run_report(run))
    return {run.id: run for run in evaluated_first}


def names(runs: dict[str, Run]) -> dict[str, str]:
    """What the runs are called, by id; those of one label by label and id."""
    labels = {run_id: run.label for run_id, run in runs.items()}
    count = Counter(labels.values())
    return {i: f"{label} ({i})" if count[label] > 1 else label for i, label in labels.items()}


def go(run: str, key: str) -> None:
    """Turn to a slide of a run; the link names both."""
    st.query_params.from_dict({"run": run, "slide": key})


def turn(run: str, slides: tuple[Slide, ...], number: int) -> None:
    """Back and forward by button, and where one is."""
    last = len(slides) - 1
    for label, arrow, to in (("Back", "←", number - 1), ("Next", "→", number + 1)):
        st.button(
            label,
            key=label.lower(),
            type="primary" if label == "Next" else "secondary",
            help=f"Shortcut: {arrow}",
            disabled=not 0 <= to <= last,
            on_click=go,
            args=(run, slides[min(max(to, 0), last)].key),
        )
    st.markdown(f"{number + 1} of {len(slides)}", width="content")


def present(runs: dict[str, Run]) -> None:
    """The slide and the run of the link, under a bar to turn them by."""
    linked = st.query_params.get("run", "")
    if linked in runs:
        st.session_state["run"] = linked
    elif linked:
        st.text(f'There is no stored run "{linked}"; another one is shown.')
    bar = st.container(horizontal=True, vertical_alignment="center")
    with bar.container(width=320):
        chosen = st.selectbox(
            "Run",
            list(runs),
            key="run",
            on_change=lambda: go(st.session_state["run"], "start"),
            format_func=names(runs).__getitem__,
            label_visibility="collapsed",
        )
    try:
        slides = make_slides(services.story(runs[chosen]))
    except TokenUnlearnError as error:
        show_error(error)
        return
    keys = [slide.key for slide in slides]
    number = keys.index(st.query_params["slide"]) if st.query_params.get("slide") in keys else 0
    with bar:
        turn(chosen, slides, number)
        st.page_link("pages/overview.py", label="Exit", icon=":material/close:")
    st.html(slide_view.slide_html(slides[number]))
    run_view.show_damage(runs[chosen])
    arrow_keys(number, len(slides) - 1, lambda wanted: go(chosen, keys[wanted]))


access.admit()
stored = stored_runs()
if stored:
    present(stored)
else:
    st.title("Present")
    st.info("No run with stored answers yet.")
    st.page_link("pages/unlearn.py", label="Start a run", icon=":material/play_arrow:")
