"""Runs grouped by a setting: what forgetting and utility come to with each of its values. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import mean
from typing import Any

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from app.charts import MARGIN, name_text
from app.compare.comparison import labeled_spec, settings_rows
from app.compare.run_index import HEADLINE, RunEntry
from app.numbers import measured

MEAN_COLOR = "#6b7280"
FIGURES = dict(zip(("facts still recalled", "utility"), HEADLINE, strict=True))


@dataclass(frozen=True)
class Group:
    """The evaluated runs that have a setting in common.

    Attributes:
        value: The setting's value.
        entries: The runs.
    """

    value: str
    entries: tuple[RunEntry, ...]

    def figures(self, metric: str) -> list[float]:
        """A headline metric of each run."""
        return [entry.headline[metric]["value"] for entry in self.entries]

    @property
    def sizes(self) -> list[int]:
        """Numbers of forget-set questions that its runs were evaluated on, ascending."""
        return sorted({entry.headline[HEADLINE[0]]["n"] for entry in self.entries})


def grouped(entries: Sequence[RunEntry]) -> dict[str, list[Group]]:
    """Setting -> groups of the evaluated runs, for every setting in which they differ."""
    evaluated = [entry for entry in entries if set(HEADLINE) <= entry.headline.keys()]
    rows = settings_rows({entry.id: labeled_spec(entry.run) for entry in evaluated})
    settings: dict[str, list[Group]] = {}
    for row in rows:
        values = dict.fromkeys(row[entry.id] for entry in evaluated)
        settings[row["setting"]] = [
            Group(value, tuple(e for e in evaluated if row[e.id] == value))
            for value in sorted(values, key=_order)
        ]
    return settings


def _order(value: str) -> tuple[bool, float, str]:
    """Numbers by size, then words."""
    try:
        return False, float(value), ""
    except ValueError:
        return True, 0.0, value


def group_rows(setting: str, groups: Sequence[Group]) -> list[dict[str, Any]]:
    """One row a group: its value, runs, questions, and the mean and range of the headline figures."""
    rows = []
    for group in groups:
        row: dict[str, Any] = {
            setting: group.value,
            "runs": len(group.entries),
            "questions": " or ".join(map(str, group.sizes)),
        }
        for title, metric in FIGURES.items():
            values = group.figures(metric)
            spread = f" ({measured(min(values))} to {measured(max(values))})" if len(values) > 1 else ""
            row[title] = f"{measured(mean(values))}{spread}"
        rows.append(row)
    return rows


def group_chart(setting: str, groups: Sequence[Group]) -> go.Figure:
    """A point a run and a line at the mean of each group; on the left forgetting, on the right utility."""
    titles = ("facts still recalled ↓", "model utility ↑")
    figure = make_subplots(rows=1, cols=2, shared_yaxes=True, horizontal_spacing=0.06)
    for column, (title, metric) in enumerate(zip(titles, FIGURES.values(), strict=True), start=1):
        for group in groups:
            values, hover = group.figures(metric), [_hover(entry, metric) for entry in group.entries]
            middle = [mean(values)] if len(values) > 1 else []
            figure.add_scatter(
                x=[*values, *middle],
                y=[name_text(group.value)] * len([*values, *middle]),
                mode="markers",
                marker={
                    "color": [*(entry.color for entry in group.entries), MEAN_COLOR],
                    "symbol": [*["circle"] * len(values), "line-ns-open"],
                    "size": [*[10] * len(values), 22],
                    "line": {"width": [*[0] * len(values), 3]},
                    "opacity": 1,
                },
                hovertext=[*hover, *(f"mean {measured(value)}" for value in middle)],
                hoverinfo="text",
                row=1,
                col=column,
            )
        figure.update_xaxes(title=title, row=1, col=column)
    figure.update_yaxes(type="category", autorange="reversed")
    figure.update_yaxes(title=name_text(setting), row=1, col=1)
    return figure.update_layout(height=130 + 44 * len(groups), margin=MARGIN, showlegend=False)


def _hover(entry: RunEntry, metric: str) -> str:
    figure = entry.headline[metric]
    return f"{name_text(entry.label, 60)}<br>{measured(figure['value'])} (n={figure['n']})"
