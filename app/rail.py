"""The way from data to a verdict, on every page: five steps, the state of each, and which comes next."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from app import access, controls, run_reader, sample_sets, score_sets, services, state, tasks
from app.controls import Source
from app.data import open_table
from tokenunlearn.attribution.score_set import ScoreSet
from tokenunlearn.errors import TokenUnlearnError
from tokenunlearn.models.source import ModelSource
from tokenunlearn.runs.run import Run

Mark = Literal["done", "busy", "open", "fault"]

KEY = "rail"
REFRESH = 2.0  # seconds
ICONS: dict[Mark, str] = {
    "done": ":green[:material/check_circle:]",
    "busy": ":blue[:material/clock_loader_40:]",
    "open": ":gray[:material/radio_button_unchecked:]",
    "fault": ":orange[:material/error:]",
}
OUTCOMES: dict[str, tuple[Mark, str]] = {
    "gone": ("done", "forgotten"),
    "hidden": ("fault", "only hidden"),
    "there": ("fault", "still there"),
    "differs": ("fault", "differs"),
    "open": ("open", "undecided"),
}
# What the step of a page asks of a person.
INVITATIONS = {
    "data": "choose your data",
    "tokens": "see the tokens",
    "unlearn": "unlearn them",
    "compare": "compare the result",
    "present": "present it",
}
# One line at every width: with less room, first only the open step says where it is, then none does, and at
# last the names stand under their marks. What is hidden is still read aloud.
STYLE = """<style>
.st-key-rail { container-type: inline-size; border-bottom: 1px solid rgba(128, 128, 128, .3);
  padding-bottom: .35rem; min-height: 2.6rem; }
.st-key-rail a { padding: .25rem .5rem; margin: 0; min-height: 2rem; }
.st-key-rail p { display: flex; align-items: baseline; gap: .3rem; white-space: nowrap; font-size: .9rem; }
.st-key-rail-next a { background: #0f766e; }
.st-key-rail-next a:is(:hover, :focus-visible) { background: #115e59; }
.st-key-rail-next a * { color: #fff; }
@container (max-width: 62rem) { .st-key-rail p:not(:has(strong)) > span:last-child { HIDDEN } }
@container (max-width: 44rem) { .st-key-rail p > span:last-child { HIDDEN } }
@container (max-width: 34rem) {
  .st-key-rail a { padding: .2rem .3rem; }
  .st-key-rail p { flex-direction: column; align-items: center; gap: 0; font-size: .78rem;
    line-height: 1.25; }
}
</style>""".replace("HIDDEN", "position: absolute; clip-path: inset(50%); width: 1px; overflow: hidden;")


@dataclass(frozen=True)
class Step:
    """One step of the way.

    Attributes:
        page: Its page.
        name: What it is called.
        mark: Whether it is done.
        text: Where it is, in a word or two.
    """

    page: str
    name: str
    mark: Mark
    text: str


def show(place: DeltaGenerator, page: str) -> None:
    """Put the rail in its place.

    Args:
        place: A container above the page.
        page: The page below it, which has run already.
    """
    way = steps(page)
    busy = any(step.mark == "busy" for step in way)
    with place:
        st.fragment(_draw, run_every=REFRESH if busy else None)(page, [way])


def _draw(page: str, fresh: list[list[Step]]) -> None:
    """The rail; ``fresh`` holds the steps the first time, and nothing when a run is looked at again."""
    way = fresh.pop() if fresh else steps(page)
    target, invitation = next_step(page, way)
    run = _in_view(page)
    # The slides are those of the run in view; a link to where one is would open it again.
    address = {"present": {"run": run.id}} if run and page != "present" else {}
    st.html(STYLE)
    with st.container(horizontal=True, vertical_alignment="center", wrap=False, gap="xxsmall"):
        for step in way:
            bold = "**" if step.page == page else ""
            label = f"{ICONS[step.mark]} {bold}{step.name}{bold} :small[:gray[{step.text}]]"
            st.page_link(f"pages/{step.page}.py", label=label, query_params=address.get(step.page))
        st.space("stretch")
        with st.container(key="rail-next", width="content"):
            if target:
                st.page_link(
                    f"pages/{target}.py",
                    label=f"**Next** :small[{invitation}]",
                    icon=":material/arrow_forward:",
                    icon_position="right",
                    query_params=address.get(target),
                )
            else:
                st.caption(invitation)


def next_step(page: str, way: Sequence[Step]) -> tuple[str, str]:
    """The page to go on to and what for; "" where the page's own button, or waiting, is what comes next."""
    marks = {step.page: step.mark for step in way}
    if page not in marks:
        target = next((step.page for step in way if step.mark != "done"), "present")
    elif page == "present":
        target = "data"
    elif marks[page] == "busy":
        return "", "Next: once this is done"
    elif page in ("tokens", "unlearn") and marks["tokens"] == "fault":
        return "", "Next: see below"
    elif page == "data" and marks[page] != "done" and access.may("save"):
        return "", "Next: Save, below"
    elif page == "tokens" and marks[page] != "done" and access.may("start"):
        return "", "Next: Score samples, below"
    elif page == "unlearn" and marks[page] != "done" and access.may("start"):
        return "", "Next: Start, below"
    else:
        pages = list(marks)
        target = pages[pages.index(page) + 1]
    if not access.may("start") and target == "unlearn":
        target = "compare"
    return target, INVITATIONS[target]


def steps(page: str) -> list[Step]:
    """The five steps with their states on a page, for the run in view or the model and forget set at hand."""
    path, run = _subject(page)
    scores = score_sets.find_scores(path) if path else None
    viewed = _in_view(page)
    unlearned, status = _example_state() if viewed and run is None else _run_state(run)
    ended = run if unlearned == "done" else None
    slides = "ready" if ended and run_reader.run_generations(ended) else "example"
    return [
        Step("data", "Data", *_data(page, scores)),
        Step("tokens", "Tokens", *_tokens(bool(scores), bool(run))),
        Step("unlearn", "Unlearn", unlearned, status),
        Step("compare", "Compare", *_verdict(ended)),
        Step("present", "Present", "open", slides),
    ]


def _in_view(page: str) -> Run | None:
    """The run that a page shows: the first of those compared, or the one presented."""
    compared: list[str] = st.session_state.get("runs") or []
    shown = {"compare": next(iter(compared), None), "present": st.session_state.get("presented")}.get(page)
    return services.find_run(shown) if shown else None


def _subject(page: str) -> tuple[Path | None, Run | None]:
    """Where the scores of model and forget set at hand are, and the run on these that is at work or newest.

    They are those of the run in view, else those chosen in this session, else those of the newest run, else
    those of a first visit. A run that came with the repository is an example, and none of one's own.
    """
    if viewed := _in_view(page):
        return viewed.folder / "scores.parquet", None if services.shipped(viewed) else viewed
    chosen: tuple[Source, Path | None] | None = st.session_state.get(controls.CHOSEN)
    for run, spec in services.recent_runs():
        source = chosen and chosen[0]
        on = (spec.model, spec.samples, spec.adapter)
        if source is None or on == (source.model.name, source.samples, source.adapter):
            return chosen[1] if chosen else run.folder / "scores.parquet", run
    if chosen:
        return chosen[1], None
    model = services.model_names()[0]
    with suppress(TokenUnlearnError):
        return score_sets.score_path(ModelSource(model), sample_sets.forget_sets(model)[0], {}), None
    return None, None


def _data(page: str, scores: ScoreSet | None) -> tuple[Mark, str]:
    if page == "data" and open_table.changed():
        return "open", "not saved"
    chosen: tuple[Source, Path | None] | None = st.session_state.get(controls.CHOSEN)
    is_open = chosen is not None and chosen[0].samples == open_table.name()
    known = scores or (open_table.kept() if is_open else None)
    return "done", f"{len(known):,} sample{'' if len(known) == 1 else 's'}" if known else "chosen"


def _tokens(scored: bool, used: bool) -> tuple[Mark, str]:
    if chosen := st.session_state.get(controls.CHOSEN):
        source = chosen[0]
        task = tasks.known().get(score_sets.scoring_key(source.scored, source.samples, source.masking))
        if task is not None and task.running:
            return "busy", "scoring"
        if chosen[1] is None:
            return "fault", "cannot be used"
    if used or (scored and state.SESSION in st.session_state):
        return "done", "weights chosen"
    return "open", "scored" if scored else "not scored"


def _example_state() -> tuple[Mark, str]:
    """Where the step stands while the run in view came with the repository: what is at work, else that."""
    newest = next(services.recent_runs(), None)
    state = services.run_state(newest[0]) if newest else None
    return ("busy", state.status) if state and state.active else ("open", "example")


def _run_state(run: Run | None) -> tuple[Mark, str]:
    if run is None:
        return "open", "no run yet"
    now = services.run_state(run)
    if now.active:
        return "busy", now.status
    return "done" if run.adapter or run_reader.run_report(run) else "fault", now.status


def _verdict(run: Run | None) -> tuple[Mark, str]:
    if run is None:
        return "open", "example"
    verdict = run_reader.run_verdict(run)
    return OUTCOMES[verdict.outcome] if verdict else ("open", "not evaluated")
