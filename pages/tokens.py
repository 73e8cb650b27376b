"""Tokens: which tokens of an answer carry the knowledge."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import streamlit as st

from app import access, background, controls, input_panel, links, model_work, sample_sets, state, token_view
from app.errors import show_error
from app.glossary import meaning
from app.numbers import counted
from app.tokens import (
    answer_table,
    fit_panel,
    pinned_token,
    sample_notes,
    selector_panel,
    side_by_side,
    snr_chart,
    token_notices,
    token_panels,
)
from app.tokens.sample_notes import SampleNote
from tokenunlearn.attribution.sample_scores import SampleScores
from tokenunlearn.attribution.score_set import ScoreSet
from tokenunlearn.errors import NothingSelectedError
from tokenunlearn.runs.findings import Finding
from tokenunlearn.runs.fit import Fit, fit


def parquet(scores: ScoreSet) -> bytes:
    """The score set as a parquet file, with its settings and overrides."""
    with TemporaryDirectory() as folder:
        return scores.save(Path(folder) / "scores.parquet").read_bytes()


def choose_sample(scores: ScoreSet) -> int:
    """Number of the sample in view."""
    numbers = {sample.sample_id: i for i, sample in enumerate(scores.samples)}
    if st.session_state.get("sample") not in numbers:  # of another set
        st.session_state.pop("sample", None)

    def shown(key: str) -> str:
        return controls.sample_name(scores, numbers[key])

    links.check("sample", numbers, shown)
    chosen = st.selectbox(
        "Sample",
        list(numbers),
        key="sample",
        bind="query-params",
        persist_state="session",
        format_func=shown,
    )
    return numbers.get(str(chosen), 0)


def show_tabs(
    mixed: ScoreSet,
    weights: list[np.ndarray],
    settings: state.TokenSettings,
    index: int,
    fit: Fit,
    notes: Mapping[str, SampleNote],
) -> None:
    """The charts, of which only the open tab's are drawn."""
    tabs = {
        "This answer": lambda: token_panels.answer(mixed, weights, index),
        pinned_token.TAB: lambda: pinned_token.show(source, mixed, index),
        "Side by side": lambda: side_by_side.show(source, mixed, settings, index),
        "Samples": lambda: answer_table.show(mixed, fit, notes),
        "Distribution": lambda: token_panels.distribution(mixed, weights, settings),
        "Knowledge × entropy": lambda: token_panels.scatter(mixed, weights, index),
        "Rule": lambda: token_panels.rule(mixed, settings, index),
        "Forget set": lambda: token_panels.forget_set(mixed, weights),
        "Sensitivity": lambda: token_panels.sensitivity(mixed, weights, settings),
        "Signal to noise": lambda: snr_chart.show(source, mixed, weights, settings),
    }
    for tab, draw in zip(
        st.tabs(list(tabs), key="charts", on_change="rerun", bind="query-params"), tabs.values(), strict=True
    ):
        if tab.open:
            with tab:
                draw()


def show_input(sample: SampleScores) -> None:
    """What the model reads of a sample, and what a check of the forget set finds."""

    def findings() -> list[Finding] | None:
        inspection = background.result(model_work.inspect(source.model, source.samples, measure=False))
        return inspection and inspection.of_runs()

    forget = sample_sets.load_samples(source.samples)
    input_panel.show(source, forget, sample.sample_id, sample.span, findings)


def explore(scores: ScoreSet, path: Path) -> None:
    """Text first, then what the whole set says."""
    settings = state.current(str(path), scores)
    mixed = settings.apply(scores)
    index = choose_sample(mixed)
    sample = mixed.samples[index]
    st.text(sample.question)
    marked = [t for number, t in token_panels.boxed() if number == index]
    turn = partial(answer_table.open_sample, mixed)
    pinned = pinned_token.pinned(sample)
    pin = partial(pinned_token.pin, sample)
    token_view.show(str(path), scores, settings, index, marked, turn, pinned, pin)
    state.write_link(settings, scores)
    problem = st.container()
    try:
        weights = list(mixed.weights(settings.rule).weights)
    except NothingSelectedError as fault:
        weights = [np.zeros(len(s)) for s in mixed.importance]
        with problem:
            show_error(fault)
    token_notices.show(mixed, weights)
    own, notes = fit(mixed, settings.rule), sample_notes.read_notes(scores)
    fit_panel.show(source, str(path), scores, mixed, weights, settings, own)
    st.caption(f"Score set {mixed.hash[:12]}")
    selector_panel.choose(str(path), scores, settings)
    show_input(sample)
    sample_notes.show(scores, sample.sample_id, notes.get(sample.sample_id, SampleNote()))
    show_tabs(mixed, weights, settings, index, own, notes)
    with st.expander("Score set"):
        st.text(
            f"{counted(len(mixed), 'sample')} of {sample_sets.set_name(mixed.source)}, model {mixed.model} "
            f"{mixed.revision}\n"
            f"masking {mixed.masking}\nmix {mixed.settings}\nsha256 {mixed.hash}"
        )
        st.download_button(
            "Download with settings and overrides (Parquet)",
            lambda: parquet(mixed),
            f"{path.stem}.parquet",
            icon=":material/download:",
        )


access.admit()
with st.sidebar:
    chosen = controls.scored_source()
source = chosen.source
st.title("Tokens", help=meaning("token", "importance", "masking", "entropy", "gold span", "nats"))
faults = st.container()
if chosen.scores is None or chosen.path is None:
    controls.offer_scoring(chosen)
elif len(chosen.scores) == 0:
    st.info("This forget set has no samples.")
else:
    explore(chosen.scores, chosen.path)
links.show_faults(faults)
