"""Charts of a comparison: pure functions from data to plotly figures; a run has one color in all of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from app.charts import MARGIN, axis_text, name_text
from app.compare.comparison import pareto_front
from app.numbers import measured
from tokenunlearn.evaluation.token_changes import TokenChange

LEGEND = {"orientation": "h", "yanchor": "bottom", "y": 1.02, "x": 0}
TICKS_UP_TO = 150
MARKED = 60  # points of a curve up to which each is marked; a single one makes no line
FRONT = "Pareto front of the runs"


def trade_off(points: Sequence[Mapping[str, Any]]) -> go.Figure:
    """Forget against utility of runs and models; the dotted line is the Pareto front of the runs.

    Runs that were evaluated on different numbers of questions have no front, and each model says its n.

    Args:
        points: name, color, symbol, chosen, run (whether it is a run), and forget and utility as mappings
            of value, low, high and n.
    """
    figure = go.Figure()
    sizes = {p["utility"]["n"] for p in points if p["run"]}
    front = pareto_front([(p["forget"]["value"], p["utility"]["value"]) for p in points if p["run"]])
    uneven = len({p["utility"]["n"] for p in points}) > 1
    if len(front) > 1 and len(sizes) == 1:
        figure.add_scatter(
            x=[x for x, _ in front],
            y=[y for _, y in front],
            mode="lines",
            line={"color": "#6b7280", "dash": "dot", "width": 1.5, "shape": "hv"},
            name=FRONT,
            hoverinfo="skip",
        )
    for p in points:
        x, y = p["forget"], p["utility"]
        figure.add_scatter(
            x=[x["value"]],
            y=[y["value"]],
            mode="markers",
            name=name_text(p["name"]) + (f" (n = {y['n']:,})" if uneven else ""),
            showlegend=p["chosen"],
            opacity=1.0 if p["chosen"] else 0.45,
            marker={"color": p["color"], "symbol": p["symbol"], "size": 14 if p["chosen"] else 8},
            error_x=_error(x) if p["chosen"] else None,
            error_y=_error(y) if p["chosen"] else None,
            hovertemplate=f"{name_text(p['name'], 60)}"
            f"<br>facts still recalled {measured(x['value'])} (n={x['n']})"
            f"<br>model utility {measured(y['value'])} (n={y['n']})<extra></extra>",
        )
    return figure.update_layout(
        height=380,
        margin=MARGIN,
        legend=LEGEND,
        xaxis={
            "title": "share of forget-set facts still recalled (lower is better)",
            "range": [-0.05, 1.08],
        },
        yaxis={"title": "model utility, 0 to 1 (higher is better)"},
    )


def _error(figure: Mapping[str, Any]) -> dict[str, Any] | None:
    if figure["low"] is None:
        return None
    up, down = figure["high"] - figure["value"], figure["value"] - figure["low"]
    return {"type": "data", "array": [up], "arrayminus": [down], "thickness": 1, "width": 3}


def forget_curves(curves: Mapping[str, tuple[Sequence[float], Sequence[float], str]]) -> go.Figure:
    """Weighted NLL of the forget tokens over the steps, one line a run.

    Args:
        curves: Run -> steps, NLL in nats, color.
    """
    figure = go.Figure()
    for name, (steps, nll, color) in curves.items():
        figure.add_scatter(
            x=list(steps),
            y=list(nll),
            name=name_text(name),
            mode="lines+markers" if len(steps) <= MARKED else "lines",
            line={"color": color},
        )
    return figure.update_layout(
        height=280,
        margin=MARGIN,
        legend=LEGEND,
        xaxis={"title": "step"},
        yaxis={"title": "forget NLL (weighted), nats", "rangemode": "tozero"},
        showlegend=True,
    )


def token_change_bars(changes: Mapping[str, TokenChange], colors: Mapping[str, str]) -> go.Figure:
    """Above the change of every token's log-probability, below the weight it was trained with.

    Args:
        changes: Run -> the same sample's token changes.
        colors: Run -> color.
    """
    figure = make_subplots(rows=2, cols=1, shared_xaxes=True, row_heights=[0.68, 0.32], vertical_spacing=0.06)
    texts = next(iter(changes.values())).texts
    places = list(range(len(texts)))
    for name, change in changes.items():
        hover = [
            f"{axis_text(text, 40)} at {i + 1}<br>log p {measured(-before)} → {measured(-after)} nats"
            f"<br>rank {rank_before} → {rank_after}<br>weight {measured(weight)}"
            for i, (text, before, after, rank_before, rank_after, weight) in enumerate(
                zip(
                    texts,
                    change.nll_before,
                    change.nll_after,
                    change.rank_before,
                    change.rank_after,
                    change.weights,
                    strict=True,
                )
            )
        ]
        shared: dict[str, Any] = {"x": places, "marker": {"color": colors[name]}, "legendgroup": name}
        shared |= {"name": name_text(name), "hovertext": hover, "hoverinfo": "text"}
        figure.add_bar(y=change.change.tolist(), row=1, col=1, showlegend=True, **shared)
        figure.add_bar(y=change.weights.tolist(), row=2, col=1, showlegend=False, **shared)
    figure.update_layout(height=430, margin=MARGIN, barmode="group", legend=LEGEND)
    figure.update_yaxes(title="Δ log p, nats", row=1, col=1)
    figure.update_yaxes(title="weight", rangemode="tozero", row=2, col=1)
    if len(places) <= TICKS_UP_TO:
        figure.update_xaxes(
            tickmode="array",
            tickvals=places,
            ticktext=[axis_text(t) for t in texts],
            tickangle=-60,
            tickfont={"size": 11},
            row=2,
            col=1,
        )
    figure.update_xaxes(title="response token", row=2, col=1)
    return figure
