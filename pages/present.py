"""Present: stored results of real runs as slides for a non-technical audience."""

from __future__ import annotations

from dataclasses import replace

import streamlit as st

from app import access, choice_box, run_reader, services
from app.chat import chat_view
from app.compare import comparison, run_index
from app.compare.comparison import START_COLOR
from app.errors import show_error
from app.present import slide_view, stories
from app.present.deck_keys import deck_keys, print_button
from app.present.presentation import BEFORE, LONGEST_TITLE, NOW, UNSEEN, make_slides
from app.present.slides import Slide
from app.unlearn import run_view
from tokenunlearn.errors import TokenUnlearnError
from tokenunlearn.runs.run import Run


def stored_runs() -> dict[str, Run]:
    """Readable runs that have ended and kept their answers: evaluated ones first, then the newest."""
    finished = []
    for run in [*services.store().runs(), *services.shipped_store().runs()]:
        state = run.state
        if not state.active and state.status != "damaged" and run_reader.run_generations(run):
            finished.append(run)
    evaluated_first = sorted(finished, key=lambda run: not run_reader.run_report(run))
    return {run.id: run for run in evaluated_first}


def go(run: str, key: str) -> None:
    """Turn to a slide of a run; the link names both, and a title of one's own."""
    for name in st.query_params.keys() & {"run", "slide"}:
        del st.query_params[name]
    st.query_params.update({"run": run, "slide": key})


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


def choose(runs: dict[str, Run]) -> tuple[str, str]:
    """The run to present, and a title of one's own or ""."""
    linked = st.query_params.get("run", "")
    chosen = linked if linked in runs else next(iter(runs))
    if linked and linked != chosen:
        known = services.find_run(linked)
        why = (
            f'The run "{linked[:40]}" has no stored answers' if known else f'There is no run "{linked[:40]}"'
        )
        st.text(f"⚠ {why}, so {runs[chosen].label} is shown.")
    with st.container(width=260):
        choice_box.choose(
            "presented",
            "Run",
            list(runs),
            chosen,
            lambda run: go(run, "start"),
            format_func=comparison.run_names(list(runs.values())).__getitem__,
            label_visibility="collapsed",
        )
    with st.container(width=260):
        title = st.text_input(
            "Title",
            key="title",
            bind="query-params",
            max_chars=LONGEST_TITLE,
            placeholder="A title of your own",
            label_visibility="collapsed",
        )
    return chosen, title


def ask(run: Run) -> None:
    """The chat with the run's models, under plain names."""
    columns = comparison.contenders(run_index.entries([run]))
    plain = {0: BEFORE, 1: NOW, 2: UNSEEN}
    shown = [replace(c, name=plain[i], label="", color=START_COLOR) for i, c in enumerate(columns)]
    with st.container(key="present-chat"):
        chat_view.show(shown, chat_view.known_samples(run), chat_view.suggested_questions(run), exchanges=1)


def present(runs: dict[str, Run]) -> None:
    """The slide and the run of the link, over controls that hide themselves."""
    with st.container(key="present"):
        screen = st.container(gap=None)
        controls = st.container(key="present-controls", horizontal=True, vertical_alignment="center")
        with controls:
            chosen, title = choose(runs)
        try:
            slides = make_slides(stories.story(runs[chosen]), title)
        except TokenUnlearnError as error:
            show_error(error)
            return
        keys = [slide.key for slide in slides]
        wanted = st.query_params.get("slide", keys[0])
        number = keys.index(wanted) if wanted in keys else 0
        with controls:
            if wanted not in keys:
                st.text(f'⚠ There is no slide "{wanted[:40]}", so the first one is shown.')
            turn(chosen, slides, number)
            print_button()
            with st.container(key="present-exit", width="content"):
                st.page_link("pages/overview.py", label="Exit", icon=":material/close:")
            run_view.show_damage(runs[chosen])
        with screen:
            st.html(slide_view.deck_html(slides, number))
            if keys[number] == "ask":
                ask(runs[chosen])
        deck_keys(number, len(slides) - 1, lambda wanted: go(chosen, keys[wanted]))


access.admit()
stored = stored_runs()
if stored:
    present(stored)
else:
    st.title("Present")
    st.info("No run with stored answers yet.")
    st.page_link("pages/unlearn.py", label="Start a run", icon=":material/play_arrow:")
