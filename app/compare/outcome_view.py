"""The view Outcome: charts of whole runs, and every metric of every model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from app import model_work, run_reader
from app.charts import decimate
from app.compare import compare_charts, comparison, evaluations, retrained_model
from app.compare.chart_panel import chart
from app.compare.comparison import ABSENT, RUN_MARKS, SYMBOLS, Contender
from app.compare.run_index import HEADLINE, RunEntry, figure_of
from app.glossary import meaning
from tokenunlearn.evaluation.report import ReportValues


def figures(
    columns: Sequence[Contender], entries: Sequence[RunEntry], reports: Mapping[str, ReportValues]
) -> list[tuple[str, str, go.Figure]]:
    """Heading, what to see, and figure of everything that concerns whole runs."""
    drawn = []
    points, others = _points(columns, reports), _others(columns, entries)
    if points:
        sizes = {point["utility"]["n"] for point in points if point["run"]} or {points[0]["utility"]["n"]}
        alike = [other for other in others if {other["utility"]["n"]} == sizes]
        figure = compare_charts.trade_off([*alike, *points])
        sentence = "Up and to the left is better: few forget-set facts still recalled, utility unchanged."
        if alike:
            sentence += " Small markers are other runs of the same models on the same forget sets."
        if any(line.name == compare_charts.FRONT for line in figure.data):
            sentence += " The dotted line is the Pareto front of the runs."
        if left_out := len(others) - len(alike):
            plural = "" if left_out == 1 else "s"
            sentence += f" Left out for another number of questions: {left_out} run{plural}."
        if len({point["utility"]["n"] for point in points}) > 1:
            sentence += (
                " The models were evaluated on different numbers of questions; n in the legend counts those "
                "of the utility."
            )
        drawn.append(("Forgetting and utility", sentence, figure))
    curves = {}
    for column in columns:
        records = run_reader.run_records(column.run) if column.run else []
        values = [(r["step"], nll) for r in records if (nll := r.get("forget_nll")) is not None]
        if values:
            shown = [values[i] for i in decimate([nll for _, nll in values])]
            curves[column.title] = ([step for step, _ in shown], [nll for _, nll in shown], column.color)
    if curves:
        sentence = (
            "The weighted NLL of the forget tokens should rise and level off before the model degrades."
        )
        drawn.append(("Forget NLL during training", sentence, compare_charts.forget_curves(curves)))
    return drawn


def _points(columns: Sequence[Contender], reports: Mapping[str, ReportValues]) -> list[dict[str, Any]]:
    """Marks of the contenders that have both headline figures."""
    points = []
    for column in columns:
        metrics = reports[column.name]["metrics"] if column.name in reports else {}
        forget, utility = (figure_of(metrics, name) for name in HEADLINE)
        if forget and utility:
            points.append(
                {
                    "name": column.title,
                    "color": column.color,
                    "symbol": SYMBOLS[column.mark],
                    "chosen": True,
                    "run": column.run is not None,
                    "forget": forget,
                    "utility": utility,
                }
            )
    return points


def _others(columns: Sequence[Contender], entries: Sequence[RunEntry]) -> list[dict[str, Any]]:
    """Marks of the other runs of the same start models on the same forget sets."""
    specs = {column.run.id: run_reader.run_spec(column.run) for column in columns if column.run}
    alike = {(spec.model, spec.samples) for spec in specs.values()}
    return [
        {
            "name": entry.label,
            "color": entry.color,
            "symbol": SYMBOLS[RUN_MARKS[0]],
            "chosen": False,
            "run": True,
            "forget": entry.headline[HEADLINE[0]],
            "utility": entry.headline[HEADLINE[1]],
        }
        for entry in reversed(entries)
        if entry.id not in specs
        and (entry.spec.model, entry.spec.samples) in alike
        and set(HEADLINE) <= entry.headline.keys()
    ]


def show(
    columns: Sequence[Contender],
    drawn: Sequence[tuple[str, str, go.Figure]],
    reports: Mapping[str, ReportValues],
) -> None:
    """Charts of whole runs and every metric of every model."""
    for column in columns:
        if column.run and model_work.lacks_retrained(column.run):
            retrained_model.offer(column, evaluations.limit_of(column, columns, reports))
    for heading, sentence, figure in drawn:
        chart(heading, sentence, figure)
    if not reports:
        st.info("No metrics yet. Evaluate a run to see them.")
        return
    st.subheader("All metrics", help=meaning("utility", "gold span", "nats", "retrained"))
    rows = comparison.metric_rows(reports)
    st.dataframe(
        pd.DataFrame(comparison.metric_table(rows)),
        hide_index=True,
        placeholder=ABSENT,
        alt="Metrics as rows, models as columns",
    )
    st.caption(
        "Each cell: value [95 % CI] and n. ↑ higher is better, ↓ lower is better, → closest to the retrained "
        "model is best. On the forget set, the target is the retrained model's value. Forget quality is the "
        "p-value of a Kolmogorov-Smirnov test against the retrained model and depends on n."
    )
    if uneven := comparison.uneven_metrics(rows):
        st.caption(f"n differs between the models in {uneven} metrics; compare only cells of equal n.")
    for name, note in comparison.notes_of(reports):
        st.text(f"{name}: {note}")
