"""The view Depth of a comparison: is the fact still in the hidden states, layer by layer?"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from statistics import mean
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from app import services, tasks
from app.charts import MARGIN, SCALE, axis_text, name_text
from app.compare.chart_panel import chart
from app.compare.compare_charts import LEGEND
from app.compare.comparison import ABSENT, Contender, colors_of
from app.compare.offers import offer
from app.compare.sample_choice import choose_sample
from app.errors import show_error
from app.numbers import TABLE, measured
from tokenunlearn.errors import TokenUnlearnError
from tokenunlearn.evaluation.depth_maps import DepthMap, load_depth
from tokenunlearn.evaluation.metrics.depth import depth_score
from tokenunlearn.evaluation.result import mean_result
from tokenunlearn.runs.retraining import retrained_for
from tokenunlearn.runs.run import Run
from tokenunlearn.runs.run_depth import save_run_depth
from tokenunlearn.runs.run_files import DEPTH

MEANING = (
    "0: the start model's upper layers read the fact from this run's hidden states as before. "
    "1: they find no more of it than in those of the retrained model."
)
READING = (
    "Mean over questions, one layer patched at a time. "
    "Low values in lower layers below high ones mean that the fact is only hidden."
)


def measure_depth(run: Run, retrained: str) -> Callable[[tasks.Task], None]:
    """Work that measures the unlearning depth of a run on its forget set and stores it with the run."""
    return lambda task: save_run_depth(run, retrained, tasks.worker().model, task.progress)


def depth_of(columns: Sequence[Contender]) -> dict[str, list[DepthMap]]:
    """Letter of a run -> its depth maps, where they were measured; a damaged file shows one sentence."""
    maps = {}
    for column in columns:
        path = column.run and column.run.folder / DEPTH
        if path and path.is_file():
            try:
                maps[column.name] = load_depth(path)
            except TokenUnlearnError as error:
                show_error(error)
    return maps


def figures(columns: Sequence[Contender]) -> list[tuple[str, str, go.Figure]]:
    """Heading, figures in words, and chart of the depths that were measured; none where none was."""
    maps = depth_of(columns)
    if not maps:
        return []
    known = [row for row in _summaries(maps) if row["depth"] is not None]
    over_all = "; ".join(
        f"{row['run']} {measured(row['depth'])} "
        f"(95 % CI {measured(row['low'])} to {measured(row['high'])}, n = {row['questions']})"
        for row in known
    )
    said = f"Over all layers: {over_all}. {MEANING} {READING}" if known else f"{MEANING} {READING}"
    return [("Unlearning depth by layer", said, layer_curves(maps, colors_of(columns)))]


def show(columns: Sequence[Contender]) -> None:
    """Depth of each run: over all layers, by layer, and by layer and gold token of one sample."""
    maps = depth_of(columns)
    for column in columns:
        run = column.run
        if run and column.loadable and column.name not in maps and not services.shipped(run):
            _offer(column, run)
    if not maps:
        st.info(
            "Unlearning depth is not measured for these runs yet. It shows whether the fact is still in the "
            "hidden states although the answer no longer states it. It can be measured for your own runs "
            "whose weights are stored."
        )
        return
    rows = _summaries(maps)
    st.dataframe(
        pd.DataFrame(rows),
        hide_index=True,
        placeholder=ABSENT,
        alt="Unlearning depth of each run over all layers",
        column_config={
            name: st.column_config.NumberColumn(format=TABLE) for name in ("depth", "low", "high")
        },
    )
    st.caption(f"{MEANING} Low and high: 95 % CI over questions.")
    chart("Depth by layer", READING, layer_curves(maps, colors_of(columns)))
    by_sample = {name: {m.sample_id: m for m in own} for name, own in maps.items()}
    sample = choose_sample({i: m.question for samples in by_sample.values() for i, m in samples.items()})
    for name, samples in by_sample.items():
        if sample in samples:
            st.text(samples[sample].question)
            chart(
                f"Depth of {name} by layer and gold token",
                "Light: recoverable at this layer. Dark: gone, as in the retrained model. "
                "Empty: the retrained model's states predict the token as well as the start model's.",
                depth_heatmap(samples[sample]),
            )


def _offer(column: Contender, run: Run) -> None:
    retrained = retrained_for(run)
    if retrained is None:
        st.caption(f"No retrained model is known for {column.name}; unlearning depth needs one.")
        return
    label = f"Measure unlearning depth of {column.name}"
    offer(f"depth-{run.id}", label, measure_depth(run, retrained), icon=":material/layers:")


def _summaries(maps: Mapping[str, Sequence[DepthMap]]) -> list[dict[str, Any]]:
    """Depth of each run over all layers, with interval and n."""
    return [{"run": name, **_summary(own)} for name, own in maps.items()]


def _summary(maps: Sequence[DepthMap]) -> dict[str, Any]:
    result = mean_result("depth", [m.score for m in maps], [m.sample_id for m in maps], "higher")
    if result is None or result.interval is None:
        return {"depth": None, "low": None, "high": None, "questions": 0}
    low, high = result.interval
    return {"depth": result.value, "low": low, "high": high, "questions": result.n}


def layer_curves(maps: Mapping[str, Sequence[DepthMap]], colors: Mapping[str, str]) -> go.Figure:
    """Mean depth of each layer alone over all samples, one line a run.

    Args:
        maps: Run -> its depth maps.
        colors: Run -> color.
    """
    figure = go.Figure()
    for name, own in maps.items():
        points = []
        for i, layer in enumerate(own[0].layers):
            alone = slice(i, i + 1)
            rows = [depth_score(m.lost[alone], m.lost_retrained[alone]) for m in own]
            known = [row for row in rows if row is not None]
            if known:
                points.append((layer, mean(known), len(known)))
        figure.add_scatter(
            x=[layer for layer, _, _ in points],
            y=[depth for _, depth, _ in points],
            customdata=[n for _, _, n in points],
            name=name_text(name),
            mode="lines+markers",
            line={"color": colors[name]},
            hovertemplate="layer %{x}: %{y:.3f} (%{customdata} questions)<extra></extra>",
        )
    return figure.update_layout(
        height=320,
        margin=MARGIN,
        legend=LEGEND,
        showlegend=True,
        xaxis={"title": "patched layer, counted from 0"},
        yaxis={"title": "depth, 0 to 1", "range": [-0.03, 1.03]},
    )


def depth_heatmap(depth: DepthMap) -> go.Figure:
    """Layers, the last on top, by gold tokens: 0 recoverable, 1 gone as in the retrained model."""
    hover = [
        [
            f"{axis_text(text, 40)} at layer {layer}"
            f"<br>depth {'–' if np.isnan(depth.covered[r, t]) else measured(depth.covered[r, t])}"
            f"<br>log p lost: {measured(depth.lost[r, t])} nats, "
            f"retrained {measured(depth.lost_retrained[r, t])} nats"
            for t, text in enumerate(depth.texts)
        ]
        for r, layer in enumerate(depth.layers)
    ]
    places = list(range(len(depth.texts)))
    figure = go.Figure(
        go.Heatmap(
            z=depth.covered,
            x=places,
            y=[str(layer) for layer in depth.layers],
            text=hover,
            hoverinfo="text",
            hoverongaps=True,
            colorscale=SCALE,
            zmin=0,
            zmax=1,
            xgap=2,
            ygap=2,
            colorbar={"title": "depth", "thickness": 12},
        )
    )
    return figure.update_layout(
        height=150 + 26 * len(depth.layers),
        margin=MARGIN,
        xaxis={
            "tickmode": "array",
            "tickvals": places,
            "ticktext": [axis_text(t) for t in depth.texts],
            "title": "gold token",
        },
        yaxis={"title": "patched layer", "type": "category"},
    )
