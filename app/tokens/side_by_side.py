"""One answer under two score sets: those of two models, or of two ways of masking."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import streamlit as st

from app import charts, links, score_sets, services, state, token_view
from app.controls import Source, offer_scores
from app.errors import show_error
from app.markdown import plain
from app.numbers import measured
from tokenunlearn.attribution.masking_settings import MaskingSettings
from tokenunlearn.attribution.sample_scores import SampleScores
from tokenunlearn.attribution.score_set import ScoreSet
from tokenunlearn.errors import NothingSelectedError, TokenUnlearnError
from tokenunlearn.models.presets import PRESETS
from tokenunlearn.models.source import ModelSource
from tokenunlearn.settings import choices_of


def show(source: Source, scores: ScoreSet, settings: state.TokenSettings, index: int) -> None:
    """The choice of the other scores, both answers, and how far they agree.

    Args:
        source: Model and forget set of the scores in view.
        scores: These scores with settings and overrides.
        settings: The committed settings, which hold for both.
        index: Number of the sample in view.
    """
    model, masking = _choose(source)
    try:
        path = score_sets.score_path(model, source.samples, masking)
    except TokenUnlearnError as error:
        show_error(error)
        return
    other = score_sets.find_scores(path)
    if other is None:
        offer_scores(model, source.samples, masking, key="score-other")
        return
    sample = scores.samples[index]
    place = next((i for i, x in enumerate(other.samples) if x.sample_id == sample.sample_id), None)
    if place is None:
        st.info("The other score set does not have this sample.")
        return
    same_tokens = other.samples[place].offsets == sample.offsets
    other = (settings if same_tokens else replace(settings, overrides={})).apply(other)
    st.html(token_view.legend_html("importance", "from 0 to 1"))
    selections = []
    for column, (own, number, title) in zip(
        st.columns(2),
        ((scores, index, _title(source.scored, source.masking)), (other, place, _title(model, masking))),
        strict=True,
    ):
        with column:
            st.subheader(title)
            selections.append(_answer(own, settings, number))
    if not same_tokens:
        st.caption("The two models split this answer into different tokens.")
        return
    both = {
        title: own.importance[i].tolist()
        for own, i, title in ((scores, index, "left"), (other, place, "right"))
    }
    st.plotly_chart(
        charts.signal_heatmap(sample.labels, {f"importance, {name}": (s, "") for name, s in both.items()}),
        width="stretch",
        key="side-by-side",
        config={"displaylogo": False},
    )
    st.caption(agreement(sample, *selections))


def agreement(sample: SampleScores, left: np.ndarray, right: np.ndarray) -> str:
    """How many tokens both select, and which only one of them does.

    Args:
        sample: The answer.
        left: (T,) tokens with a weight under the scores on the left.
        right: (T,) under those on the right.
    """

    def named(inside: np.ndarray) -> str:
        texts = [f'"{plain(sample.labels[t])}"' for t in np.flatnonzero(inside)]
        return ", ".join(texts) or "none"

    return (
        f"{int((left & right).sum())} of {len(left)} tokens are selected on both sides. "
        f"Only left: {named(left & ~right)}. Only right: {named(right & ~left)}."
    )


def _choose(source: Source) -> tuple[ModelSource, dict[str, str]]:
    """The other model, and what is masked for its scores."""
    preset = PRESETS.get(source.model.name)
    names = services.model_names()
    usual = (preset and preset.retrained) or source.model.name
    left, right = st.columns(2)
    links.check("other_model", names)
    name = left.selectbox(
        "Compare with model",
        names,
        index=names.index(usual) if usual in names else 0,
        key="other_model",
        bind="query-params",
        persist_state="session",
    )
    masks = list(choices_of(MaskingSettings, "mask"))
    own = source.masking.get("mask", MaskingSettings().mask)
    links.check("other_mask", masks)
    mask = right.selectbox(
        "Masked context for that model",
        masks,
        index=masks.index(own),
        key="other_mask",
        bind="query-params",
        persist_state="session",
        help=MaskingSettings.__dataclass_fields__["mask"].metadata["help"],
    )
    masking = {key: value for key, value in source.masking.items() if key != "mask"}
    return ModelSource(name), masking | ({"mask": mask} if mask != MaskingSettings().mask else {})


def _title(model: ModelSource, masking: dict[str, str]) -> str:
    return f"{plain(model.name)}, masked: {masking.get('mask', MaskingSettings().mask)}"


def _answer(scores: ScoreSet, settings: state.TokenSettings, number: int) -> np.ndarray:
    """The answer as tinted text; (T,) its tokens with a weight."""
    sample, importance = scores.samples[number], scores.importance[number]
    try:
        selected = scores.weights(settings.rule).weights[number] > 0
    except NothingSelectedError:
        selected = np.zeros(len(sample.texts), bool)
    details = [
        {"importance": measured(s), "probability": measured(np.exp(-nll)), "entropy": f"{measured(h)} nats"}
        for s, nll, h in zip(importance, sample.nll, scores.entropy[number], strict=True)
    ]
    st.html(
        token_view.response_html(
            sample.labels, np.nan_to_num(importance).clip(0, 1), selected, details, gold=sample.gold
        )
    )
    return selected
