"""Charts: pure functions from data to plotly figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import numpy as np
import plotly.graph_objects as go

from app.numbers import measured
from app.token_view import visible

SCALE = "YlOrBr"
POINTS = 1_000  # of a curve at most
TICKS = 80  # token labels on an axis at most; more cannot be read and take the browser seconds
SPLITS = {"forget": "forget set", "retain": "retained samples"}
MARGIN = {"l": 10, "r": 10, "t": 10, "b": 10}
COLORS = {"loss": "#64748b", "forget": "#d97706", "retain": "#0d9488"}


def decimate(values: Sequence[float] | np.ndarray, limit: int = POINTS) -> np.ndarray:
    """Indices of at most ``limit`` values: the first, the last and every bucket's extremes, ascending.

    Args:
        values: (N,) in drawing order; NaN is kept only where nothing else is.
        limit: Greatest number of indices, at least 4.
    """
    values = np.asarray(values, dtype=float)
    if len(values) <= limit:
        return np.arange(len(values))
    indices = {0, len(values) - 1}
    for bucket in np.array_split(np.arange(len(values)), (limit - 2) // 2):
        part = values[bucket]
        if np.isnan(part).all():
            continue
        indices |= {int(bucket[np.nanargmin(part)]), int(bucket[np.nanargmax(part)])}
    return np.array(sorted(indices))


def axis_text(text: str, longest: int = 14) -> str:
    """A token as an axis label: blanks visible, markup and maths inert, cut when long."""
    return name_text(visible(text), longest)


def name_text(name: str, longest: int = 40) -> str:
    """A name in a chart: markup and maths inert, cut when long."""
    shown = name[: longest - 1] + "…" if len(name) > longest else name
    return escape(shown).replace("$", "$\u200b")


def _layout(figure: go.Figure, height: int, **layout: Any) -> go.Figure:
    figure.update_layout(height=height, margin=MARGIN, **layout)
    return figure


def _token_axis(texts: Sequence[str]) -> dict[str, Any]:
    positions = range(0, len(texts), -(-len(texts) // TICKS) or 1)
    return {
        "tickmode": "array",
        "tickvals": list(positions),
        "ticktext": [axis_text(texts[t]) for t in positions],
        "tickangle": -60,
        "tickfont": {"size": 11},
        "title": "response token",
    }


def signal_heatmap(texts: Sequence[str], signals: Mapping[str, tuple[Sequence[float], str]]) -> go.Figure:
    """Tokens x signals; each row is colored from its own smallest to its largest value.

    Args:
        texts: (T,) response token texts.
        signals: Name -> ((T,) values, unit).
    """
    names = list(signals)
    raw = np.array([np.asarray(signals[name][0], dtype=float) for name in names])
    low = np.nanmin(raw, axis=1, keepdims=True)
    span = np.nanmax(raw, axis=1, keepdims=True) - low
    scaled = np.divide(raw - low, span, out=np.zeros_like(raw), where=span > 0)
    hover = [
        [
            f"{axis_text(t, 40)} at {i + 1}<br>{name}: {measured(raw[r, i])} {signals[name][1]}"
            for i, t in enumerate(texts)
        ]
        for r, name in enumerate(names)
    ]
    figure = go.Figure(
        go.Heatmap(
            z=scaled,
            y=names,
            x=list(range(len(texts))),
            text=hover,
            hoverinfo="text",
            colorscale=SCALE,
            colorbar={"title": "scaled<br>per row", "thickness": 12},
            zmin=0,
            zmax=1,
            xgap=1 if len(texts) <= TICKS else 0,
            ygap=2,
        )
    )
    return _layout(
        figure, 110 + 46 * len(names) + 60, xaxis=_token_axis(texts), yaxis={"autorange": "reversed"}
    )


def context_matrix(contexts: Sequence[str], texts: Sequence[str], losses: np.ndarray) -> go.Figure:
    """Context x response token: what masking each context costs each token, in nats; zero is white."""
    bound = float(np.nanmax(np.abs(losses), initial=1e-6))
    hover = [
        [
            f"mask {axis_text(c, 40)}<br>{axis_text(t, 40)} at {i + 1}: {measured(losses[r, i])} nats"
            for i, t in enumerate(texts)
        ]
        for r, c in enumerate(contexts)
    ]
    figure = go.Figure(
        go.Heatmap(
            z=losses,
            x=list(range(len(texts))),
            y=list(range(len(contexts))),
            text=hover,
            hoverinfo="text",
            colorscale="PuOr_r",
            zmid=0,
            zmin=-bound,
            zmax=bound,
            colorbar={"title": "log p drop,<br>nats", "thickness": 12},
            xgap=1 if len(texts) <= TICKS else 0,
            ygap=1,
        )
    )
    rows = {
        "tickmode": "array",
        "tickvals": list(range(len(contexts))),
        "ticktext": [axis_text(c, 18) for c in contexts],
        "autorange": "reversed",
        "title": "masked context",
    }
    return _layout(figure, 150 + 24 * len(contexts), xaxis=_token_axis(texts), yaxis=rows)


def _step_axis(steps: int) -> dict[str, Any]:
    """From the start to the last step, with room for markers at both ends."""
    return {"title": "step", "range": [-0.02 * steps, 1.02 * steps]}


def loss_curves(records: Sequence[Mapping[str, float]], steps: int) -> go.Figure:
    """Forget NLL, its level and the retain loss of every step, in nats.

    Args:
        records: A run's records.
        steps: How many steps the run will have.
    """
    figure = go.Figure()
    curves = (
        ("forget_nll", "forget NLL", "forget", "solid"),
        ("level", "level", "forget", "dot"),
        ("retain_loss", "retain loss", "retain", "dash"),
    )
    for name, label, color, dash in curves:
        if any(name in r for r in records):
            values = np.array([r.get(name) for r in records], dtype=float)
            drawn = decimate(values)
            figure.add_scatter(
                x=[records[i]["step"] for i in drawn],
                y=values[drawn],
                name=label,
                mode="lines" if len(drawn) < len(values) or name == "level" else "lines+markers",
                line={"color": COLORS[color], "dash": dash},
                yaxis="y2" if name == "retain_loss" else "y",
            )
    return _layout(
        figure,
        300,
        xaxis=_step_axis(steps),
        yaxis={"title": "forget NLL (weighted), nats", "rangemode": "tozero", "minallowed": 0},
        yaxis2={
            "title": "retain loss, nats",
            "overlaying": "y",
            "side": "right",
            "showgrid": False,
            "rangemode": "tozero",
            "minallowed": 0,
            "tickmode": "auto",
            "exponentformat": "power",
        },
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom"},
    )


def recall_curves(watched: Sequence[Mapping[str, Any]], steps: int) -> go.Figure:
    """Teacher-forced gold-span accuracy of forget and retained samples over the steps, 0 to 1.

    Args:
        watched: What a run measured between steps.
        steps: How many steps it will have.
    """
    figure = go.Figure()
    for split, label in SPLITS.items():
        points = [(r["step"], r["gold_span"][split]) for r in watched if split in r["gold_span"]]
        if points:
            figure.add_scatter(
                x=[step for step, _ in points],
                y=[accuracy["value"] for _, accuracy in points],
                name=f"{label}, n = {points[0][1]['n']}",
                mode="lines+markers",
                line={"color": COLORS[split], "dash": "solid" if split == "forget" else "dash"},
            )
    return _layout(
        figure,
        300,
        xaxis=_step_axis(steps),
        yaxis={"title": "share of facts still recalled", "range": [-0.03, 1.03]},
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom"},
        showlegend=True,
    )
