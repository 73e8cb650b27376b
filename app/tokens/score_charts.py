"""Charts of scores, selections and their sensitivity: pure functions from data to plotly figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go

from app.charts import POINTS, SCALE, axis_text, decimate
from app.numbers import measured, setting

INK = {"main": "#0d9488", "other": "#d97706", "third": "#7c3aed", "quiet": "#94a3b8", "line": "#dc2626"}
COLUMNS = 200
NAMED_ROWS = 60  # of a heatmap at most; more names would overlap
CLICKABLE = 4_000  # cells with a marker of their own at most
LEAST = 1e-4  # nats; smaller scores are drawn there, so that a logarithmic axis holds them


def score_distribution(
    values: Sequence[float] | np.ndarray,
    label: str,
    unit: str,
    threshold: float | None = None,
    gold: Sequence[bool] | np.ndarray | None = None,
) -> go.Figure:
    """Histogram of one score over the set's tokens, with the threshold as a dashed line.

    Args:
        values: (N,) scores; NaN and infinities are left out.
        label: Name of the score.
        unit: Its unit, "" for none.
        threshold: Where the dashed line is.
        gold: (N,) tokens of gold spans, stacked on the others in another color.
    """
    values = np.asarray(values, dtype=float)
    is_gold = np.zeros(len(values), bool) if gold is None else np.asarray(gold, dtype=bool)
    finite = np.isfinite(values)
    values, is_gold = values[finite], is_gold[finite]
    edges = np.histogram_bin_edges(values, bins=min(50, max(1, len(np.unique(values)))))
    figure = go.Figure()
    groups = (("other tokens", ~is_gold, "main"), ("gold tokens", is_gold, "other"))
    for name, group, color in groups:
        if not group.any() and name == "gold tokens":
            continue
        figure.add_bar(
            x=(edges[:-1] + edges[1:]) / 2,
            y=np.histogram(values[group], edges)[0],
            width=np.diff(edges),
            name=name,
            marker={"color": INK[color], "line": {"width": 0}},
            hovertemplate=f"%{{x:.3f}}: %{{y}} {name}<extra></extra>",
        )
    if threshold is not None:
        _mark(figure, threshold, f"τ = {setting(threshold)}")
    return _layout(
        figure,
        320,
        xaxis={"title": _titled(label, unit)},
        yaxis={"title": "number of tokens"},
        bargap=0,
        barmode="stack",
        legend={"orientation": "h", "y": 1.2},
    )


def importance_curve(
    importance: Sequence[float] | np.ndarray, weights: Sequence[float] | np.ndarray | None = None
) -> go.Figure:
    """Importance of the set's tokens, highest first, the share they add up to, and how many have a weight."""
    ordered = np.sort(np.nan_to_num(np.asarray(importance, dtype=float)))[::-1]
    total = ordered.sum()
    share = np.cumsum(ordered) / total if total > 0 else np.zeros(len(ordered))
    rank = np.arange(1, len(ordered) + 1)
    drawn = decimate(ordered)
    figure = go.Figure()
    figure.add_scatter(
        x=rank[drawn],
        y=ordered[drawn],
        name="importance s",
        line={"color": INK["main"]},
        hovertemplate="token %{x}: s = %{y:.3f}<extra></extra>",
    )
    figure.add_scatter(
        x=rank[drawn],
        y=100 * share[drawn],
        name="cumulative share",
        yaxis="y2",
        line={"color": INK["other"], "dash": "dot"},
        hovertemplate="top %{x} tokens: %{y:.1f} % of importance<extra></extra>",
    )
    if weights is not None:
        selected = int((np.asarray(weights) > 0).sum())
        _mark(figure, selected, f"{selected:,} selected")
    return _layout(
        figure,
        340,
        xaxis={"title": "token rank by importance"},
        yaxis={"title": "importance s, 0 to 1", "range": [0, 1.02]},
        yaxis2={
            "title": "cumulative share of importance, %",
            "overlaying": "y",
            "side": "right",
            "range": [0, 102],
            "tickmode": "auto",
            "showgrid": False,
        },
        legend={"orientation": "h", "y": 1.2},
    )


def signal_scatter(
    knowledge: Sequence[float] | np.ndarray,
    entropy: Sequence[float] | np.ndarray,
    weights: Sequence[float] | np.ndarray,
    texts: Sequence[str],
    places: Sequence[tuple[int, int]],
    here: int,
) -> go.Figure:
    """Knowledge against entropy score, a marker a token: the sample in view on top of the rest of the set.

    Both axes are logarithmic; scores below 0.0001 nats are drawn at 0.0001.

    Args:
        knowledge: (N,) in nats.
        entropy: (N,) in nats.
        weights: (N,) weights; filled markers have one.
        texts: (N,) token texts.
        places: (N,) sample number and response position, which a selection in the chart hands back.
        here: Number of the sample in view; all its tokens are drawn.
    """
    k, h, w = (np.asarray(v, dtype=float) for v in (knowledge, entropy, weights))
    where = np.array(places, dtype=int).reshape(-1, 2)
    in_view = where[:, 0] == here
    rest = np.flatnonzero(~in_view)
    rest = rest[np.argsort(k[rest], kind="stable")]
    rest = rest[decimate(h[rest], max(4, POINTS - int(in_view.sum())))]
    figure = go.Figure()
    groups = (
        (rest, "other answers", INK["quiet"], 6),
        (np.flatnonzero(in_view), "this answer", INK["other"], 11),
    )
    for index, name, color, size in groups:
        figure.add_scatter(
            x=np.maximum(k[index], LEAST),
            y=np.maximum(h[index], LEAST),
            mode="markers",
            name=name,
            customdata=where[index].tolist(),  # a typed array would come back as something else
            text=[
                f"{axis_text(texts[i], 40)}<br>k {measured(k[i])} nats, h {measured(h[i])} nats"
                for i in index.tolist()
            ],
            hovertemplate="%{text}<extra></extra>",
            marker={
                "color": color,
                "size": size,
                "symbol": ["circle" if w[i] > 0 else "circle-open" for i in index],
                "line": {"width": 1.2, "color": color},
            },
        )
    return _layout(
        figure,
        420,
        xaxis={
            "title": "knowledge score k, nats (log scale)",
            "type": "log",
            "dtick": 1,
            "exponentformat": "none",
        },
        yaxis={"title": "entropy h, nats (log scale)", "type": "log", "dtick": 1, "exponentformat": "none"},
        legend={"orientation": "h", "y": 1.12},
        dragmode="select",
        uirevision=str(here),  # a new figure keeps the box that was drawn in the last one
        selectionrevision=str(here),
    )


def weight_curve(importance: Sequence[float] | np.ndarray, temperature: float) -> go.Figure:
    """Soft weight against importance, w(s; T), for one response, at a third, one and three temperatures."""
    s = np.nan_to_num(np.asarray(importance, dtype=float))
    grid = np.linspace(0, 1, 201)
    figure = go.Figure()
    for factor, dash, color in ((1 / 3, "dot", "quiet"), (3, "dash", "quiet"), (1, "solid", "main")):
        t = temperature * factor
        top = max(float(s.max(initial=0.0)), 1e-12)
        weight = len(s) * np.exp((grid - top) / t) / np.exp((s - top) / t).sum()
        shown = grid <= top
        figure.add_scatter(
            x=grid[shown],
            y=weight[shown],
            name=f"temperature {setting(t)}",
            line={"color": INK[color], "dash": dash},
            hovertemplate="s %{x:.3f}: w %{y:.3f}<extra></extra>",
        )
    own = len(s) * np.exp((s - s.max(initial=0.0)) / temperature)
    own = own / np.exp((s - s.max(initial=0.0)) / temperature).sum() if len(s) else own
    drawn = decimate(own)
    figure.add_scatter(
        x=s[drawn],
        y=own[drawn],
        mode="markers",
        name="tokens of this answer",
        marker={"color": INK["other"], "size": 8},
        hovertemplate="s %{x:.3f}: w %{y:.3f}<extra></extra>",
    )
    return _layout(
        figure,
        340,
        xaxis={"title": "importance s, 0 to 1", "range": [0, 1.02]},
        yaxis={"title": "soft weight w, mean 1", "rangemode": "tozero"},
        legend={"orientation": "h", "y": 1.2},
    )


def lines(
    x: Sequence[float],
    curves: Mapping[str, Sequence[float | None]],
    x_title: str,
    y_title: str,
    at: float | None = None,
    logarithmic: bool = False,
    percent: bool = True,
) -> go.Figure:
    """Several curves over one setting, with the committed value as a dashed line.

    Args:
        x: (N,) values of the setting.
        curves: Name -> (N,) values; None leaves a gap.
        x_title: Name and unit of the setting.
        y_title: Name and unit of the values.
        at: The committed value of the setting.
        logarithmic: Whether the setting's axis is.
        percent: Whether values are shares, drawn in per cent.
    """
    figure = go.Figure()
    styles = (
        (INK["main"], "solid"),
        (INK["other"], "dash"),
        (INK["third"], "dot"),
        (INK["quiet"], "dashdot"),
    )
    for (name, values), (color, dash) in zip(curves.items(), styles, strict=False):
        y = np.array([np.nan if v is None else v for v in values], dtype=float) * (100 if percent else 1)
        drawn = decimate(y)
        figure.add_scatter(
            x=np.asarray(x, dtype=float)[drawn],
            y=y[drawn],
            name=name,
            mode="lines",
            line={"color": color, "dash": dash},
            hovertemplate=f"%{{x:.3g}}: %{{y:.1f}}{' %' if percent else ''}<extra>{name}</extra>",
        )
    if at is not None:
        _mark(figure, at, f"current: {setting(at)}", logarithmic)
    axis: dict[str, Any] = {"title": x_title, "type": "log" if logarithmic else "linear"}
    limits: dict[str, Any] = {"range": [0, 102]} if percent else {"rangemode": "tozero"}
    return _layout(
        figure, 340, xaxis=axis, yaxis={"title": y_title, **limits}, legend={"orientation": "h", "y": 1.2}
    )


def set_heatmap(
    values: Sequence[np.ndarray], names: Sequence[str], texts: Sequence[Sequence[str]], label: str, unit: str
) -> go.Figure:
    """A whole forget set: a row a sample in the order given, a column a response token.

    Responses longer than 200 tokens are drawn in columns of several tokens, each showing its highest value.
    The browser reports no clicks on a heatmap, so an invisible marker in each cell, or in each row where
    there are too many, tells which row was clicked.

    Args:
        values: (T_i,) score of each sample's tokens.
        names: Label of each sample.
        texts: (T_i,) token texts of each sample.
        label: Name of the score.
        unit: Its unit, "" for none.
    """
    longest = max((len(v) for v in values), default=0)
    width = max(1, -(-longest // COLUMNS))
    columns = -(-longest // width)
    z = np.full((len(values), columns), np.nan)
    hover = [[""] * columns for _ in values]
    for row, (v, tokens) in enumerate(zip(values, texts, strict=True)):
        for column in range(-(-len(v) // width)):
            part = np.asarray(v[column * width : (column + 1) * width], dtype=float)
            if np.isnan(part).all():
                continue
            best = int(np.nanargmax(part))
            z[row, column] = part[best]
            hover[row][column] = (
                f"{axis_text(names[row], 60)}<br>{axis_text(tokens[column * width + best], 40)} at "
                f"{column * width + best + 1}: {measured(part[best])} {unit}"
            )
    figure = go.Figure(
        go.Heatmap(
            z=z,
            x=np.arange(columns) * width + 1,
            y=list(range(len(values))),
            text=hover,
            hoverinfo="text",
            colorscale=SCALE,
            colorbar={"title": _titled(label, unit), "thickness": 12},
            zmin=0,
        )
    )
    places = np.argwhere(np.isfinite(z))
    if len(places) > CLICKABLE:
        places = np.array([(row, 0) for row in range(len(values))])
    figure.add_scatter(
        x=[column * width + 1 for _, column in places.tolist()],
        y=[row for row, _ in places.tolist()],
        customdata=[row for row, _ in places.tolist()],
        text=[hover[row][column] for row, column in places.tolist()],
        hoverinfo="text",
        mode="markers",
        marker={"opacity": 0, "size": 14, "symbol": "square"},
        selected={"marker": {"opacity": 0}},
        unselected={"marker": {"opacity": 0}},
        showlegend=False,
    )
    named = range(0, len(values), -(-len(values) // NAMED_ROWS) or 1)
    rows: dict[str, Any] = {
        "title": "sample",
        "range": [len(values) - 0.5, -0.5],
        "tickmode": "array",
        "tickvals": list(named),
        "ticktext": [axis_text(names[row], 26).replace("␣", " ") for row in named],
    }
    return _layout(
        figure,
        min(900, 140 + 14 * max(len(values), 6)),
        xaxis={"title": "response token position"},
        yaxis=rows,
    )


def agreement(names: Sequence[str], correlation: np.ndarray) -> go.Figure:
    """Rank correlation of each pair of signals, -1 to 1, with the number in each cell."""
    text = [["" if np.isnan(v) else f"{v:.2f}" for v in row] for row in correlation]
    figure = go.Figure(
        go.Heatmap(
            z=correlation,
            x=list(names),
            y=list(names),
            text=text,
            texttemplate="%{text}",
            colorscale="PuOr_r",
            zmin=-1,
            zmax=1,
            zmid=0,
            xgap=2,
            ygap=2,
            hovertemplate="%{y} and %{x}: %{z:.3f}<extra></extra>",
            colorbar={"title": "Spearman", "thickness": 12},
        )
    )
    return _layout(figure, 340, xaxis={"title": "signal"}, yaxis={"title": "signal", "autorange": "reversed"})


def _layout(figure: go.Figure, height: int, **settings: Any) -> go.Figure:
    """Margins, the upper one with room for what :func:`_mark` writes above the chart."""
    return figure.update_layout(height=height, margin={"l": 10, "r": 10, "t": 28, "b": 10}, **settings)


def _titled(label: str, unit: str) -> str:
    return f"{label}, {unit}" if unit else f"{label}, 0 to 1"


def _mark(figure: go.Figure, x: float, text: str, logarithmic: bool = False) -> None:
    figure.add_vline(x=x, line={"color": INK["line"], "dash": "dash", "width": 2})
    figure.add_annotation(
        x=np.log10(x) if logarithmic else x,
        y=1,
        yref="paper",
        text=text,
        showarrow=False,
        yanchor="bottom",
        font={"color": INK["line"]},
    )
