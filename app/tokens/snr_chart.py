"""The tab Signal to noise: how much of the gradient moves the knowledge, by threshold and as weighted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

import numpy as np
import plotly.graph_objects as go
import streamlit as st

from app import access, background, state, tasks
from app.controls import Source
from app.numbers import setting
from app.tokens.score_charts import INK
from tokenunlearn.attribution.score_set import ScoreSet
from tokenunlearn.attribution.selection import HardSelection
from tokenunlearn.errors import NothingSelectedError

if TYPE_CHECKING:
    from tokenunlearn.training.gradient_signal import Interval, TokenGradients

THRESHOLDS = tuple(np.linspace(0.05, 0.95, 19).round(2).tolist())
MEASURED = 24  # samples, evenly spread; each token takes a backward pass


def show(
    source: Source, scores: ScoreSet, weights: Sequence[np.ndarray], settings: state.TokenSettings
) -> None:
    """The curve of hard selection over thresholds, the point in use, and what the theory predicts."""
    key = f"gradients-{source.samples}-{source.model}"
    task = tasks.known().get(key)
    gradients: list[TokenGradients] | None = background.result(task) if task else None
    if gradients is None:
        if not (task and task.running):
            _offer(key, source)
        return
    from tokenunlearn.training.gradient_signal import signal_share, snr, splits, token_splits

    places = {x.sample_id: i for i, x in enumerate(scores.samples)}
    gradients = [g for g in gradients if g.sample_id in places]
    groups = range(len(gradients))

    def ratio(values: Sequence[np.ndarray]) -> Interval:
        return snr(splits(gradients, [values[places[g.sample_id]] for g in gradients]), groups)

    curve = {}
    for threshold in THRESHOLDS:
        with suppress(NothingSelectedError):  # from here on no token is important enough
            curve[threshold] = ratio(scores.weights(HardSelection(threshold=threshold)).weights)
    gold = {g.sample_id: g.gold.astype(float) for g in gradients}
    levels = {
        "uniform weights": ratio([np.ones(len(w)) for w in weights]),
        "gold tokens": ratio([gold.get(x.sample_id, np.empty(0)) for x in scores.samples]),
    }
    hard = settings.weights == "hard" and settings.criterion == "threshold"
    in_use = (settings.threshold if hard else None, ratio(weights))
    st.plotly_chart(
        snr_curve(curve, levels, in_use), width="stretch", key="snr", config={"displaylogo": False}
    )
    inside, outside = (
        "{:.1%} ({:.1%} to {:.1%})".format(*signal_share(token_splits(gradients, gold=side), groups))
        for side in (True, False)
    )
    st.caption(
        "Signal: squared length of the gradient inside the span of the paraphrases' gold-token gradients; "
        f"noise: the rest. n = {len(gradients)} samples; band and parentheses: 95 % CI over samples. "
        "The theory says that gradients of unimportant tokens lie mostly outside this span. "
        f"Share of the squared length inside it: gold tokens {inside}, other tokens {outside}."
    )


def _offer(key: str, source: Source) -> None:
    st.info(
        "How much of the gradient moves the facts, and how much moves anything else? That takes a backward "
        f"pass for each token of {MEASURED} samples."
    )
    if access.may("start") and st.button("Measure gradients", icon=":material/analytics:"):
        tasks.start(key, "Measuring gradients", lambda task: _measure(source, task))
        st.rerun()


def _measure(source: Source, task: tasks.Task) -> list[TokenGradients]:
    from tokenunlearn.datasets import load_samples
    from tokenunlearn.training.gradient_signal import Text, token_gradients

    lm, samples = tasks.worker().model(source.model), load_samples(source.samples).spread(MEASURED)
    facts = [fact for sample in samples if (fact := Text.paraphrase(lm, sample))]
    texts = [Text.of(lm, sample) for sample in samples]
    return token_gradients(lm, texts, facts, progress=task.progress)


def snr_curve(
    curve: Mapping[float, Interval],
    levels: Mapping[str, Interval],
    in_use: tuple[float | None, Interval],
) -> go.Figure:
    """Signal-to-noise ratio of hard selection by threshold, with its interval as a band.

    Args:
        curve: Threshold -> ratio and ends of its interval.
        levels: Name -> the same of weights without a threshold, drawn as level lines.
        in_use: Threshold in use, None for weights without one, and the ratio of the weights in use.
    """
    x = list(curve)
    value, low, high = (list(side) for side in zip(*curve.values(), strict=True)) if curve else ([], [], [])
    figure = go.Figure()
    figure.add_scatter(
        x=[*x, *x[::-1]],
        y=[*high, *low[::-1]],
        fill="toself",
        mode="none",
        fillcolor="rgba(13, 148, 136, 0.18)",
        name="95 % CI",
        hoverinfo="skip",
    )
    figure.add_scatter(x=x, y=value, name="hard selection", mode="lines+markers", line={"color": INK["main"]})
    for (name, (level, _, _)), color, dash in zip(
        levels.items(), ("quiet", "third"), ("dash", "dot"), strict=True
    ):
        figure.add_scatter(
            x=[THRESHOLDS[0], THRESHOLDS[-1]],
            y=[level, level],
            name=name,
            mode="lines",
            line={"color": INK[color], "dash": dash},
        )
    at, (ratio, low_end, high_end) = in_use
    label = "weights in use" if at is None else f"in use: τ = {setting(at)}"
    figure.add_scatter(
        x=[THRESHOLDS[-1] if at is None else at],
        y=[ratio],
        name=label,
        mode="markers",
        marker={"color": INK["line"], "size": 13, "symbol": "star"},
        error_y={"type": "data", "array": [high_end - ratio], "arrayminus": [ratio - low_end]},
    )
    figure.update_traces(
        hovertemplate="%{x:.3f}: %{y:.3f}", selector={"type": "scatter", "mode": "lines+markers"}
    )
    return figure.update_layout(
        height=360,
        margin={"l": 10, "r": 10, "t": 28, "b": 10},
        xaxis={"title": "threshold τ of hard selection, 0 to 1", "range": [0, 1]},
        yaxis={"title": "signal-to-noise ratio of the gradient", "rangemode": "tozero"},
        legend={"orientation": "h", "y": 1.2},
    )
