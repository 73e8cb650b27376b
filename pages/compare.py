"""Compare: what the models say before and after, and the metrics that prove it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pandas as pd
import streamlit as st

from app import background, charts, run_view, services, token_view
from app.errors import show_error
from tokenunlearn.errors import RunError, TokenUnlearnError
from tokenunlearn.models import PRESETS
from tokenunlearn.runs.store import Run

ARROWS = {"higher": "↑", "lower": "↓", "closer": "→"}
HEADLINE = ("forget/gold_span", "forget/gold_span_paraphrased", "retain/gold_span", "model_utility")
QUESTIONS_SHOWN = 8


@dataclass(frozen=True)
class Contender:
    """One column of the comparison."""

    title: str
    model: str
    adapter: str = ""
    run: Run | None = None


def choose_runs(runs: list[Run]) -> list[Run]:
    """Run A and, if wanted, run B."""
    labels = {run.id: f"{run.spec.label} ({run.id})" for run in runs}
    left, right = st.columns(2)
    a = left.selectbox("Run A", list(labels), key="a", bind="query-params", format_func=labels.get)
    others = ["", *(i for i in labels if i != a)]
    b = right.selectbox(
        "Run B", others, key="b", bind="query-params", format_func=lambda i: labels.get(i, "none")
    )
    by_id = {run.id: run for run in runs}
    return [by_id[i] for i in (a, b) if i in by_id]


def contenders(chosen: list[Run]) -> list[Contender]:
    """Start model, the runs, and the retrained model where there is one."""
    model = chosen[0].spec.model
    columns = [Contender("start", model)]
    for letter, run in zip("AB", chosen, strict=False):
        columns.append(Contender(f"{letter}: {run.spec.label}", run.spec.model, str(run.adapter), run))
    preset = PRESETS.get(model)
    if preset and preset.retrained:
        columns.append(Contender("retrained", preset.retrained))
    return columns


def stored_answers(columns: list[Contender]) -> None:
    """Take over the answers that the runs have kept."""
    answers = services.answers()
    for column in columns:
        if column.run is None:
            continue
        for rows in column.run.generations.values():
            for row in rows:
                answers.setdefault((column.model, "", row["question"]), row["before"])
                answers.setdefault((column.model, column.adapter, row["question"]), row["after"])


def show_answers(columns: list[Contender]) -> None:
    """Answers of every model to the same questions, greedy, differences to the start marked."""
    st.subheader("Answers")
    stored_answers(columns)
    spec = columns[1].run.spec if columns[1].run else None
    assert spec is not None
    parts = {"forget": spec.samples, **({"retain": spec.retain} if spec.retain else {})}
    kind_column, own_column = st.columns([1, 2], vertical_alignment="bottom")
    with kind_column:
        part = st.segmented_control(
            "Questions of", list(parts), default="forget", required=True, key="part", bind="query-params"
        )
    with own_column:
        own = st.text_input("Or ask your own", key="ask", bind="query-params", max_chars=500)
    expected: dict[str, str] = {}
    if own.strip():
        questions = [own.strip()]
    else:
        try:
            shown = services.load_samples(parts[part or "forget"]).spread(QUESTIONS_SHOWN)
        except TokenUnlearnError as error:
            show_error(error)
            return
        shown = [s for s in shown if not s.document]
        if not shown:
            st.caption("Documents have no questions; ask your own.")
            return
        questions = [s.question for s in shown]
        expected = {s.question: s.answer for s in shown}
    missing = [
        c for c in columns if any((c.model, c.adapter, q) not in services.answers() for q in questions)
    ]
    if missing:
        key = f"answers-{'|'.join(c.model + c.adapter for c in missing)}-{hash(tuple(questions))}"
        if key not in services.tasks():
            services.ask_models(key, [(c.model, c.adapter) for c in missing], questions)
        background.wait_for(key)
    for question in questions:
        with st.container(border=True):
            st.text(question)
            if question in expected:
                st.caption("Answer in the data")
                st.text(expected[question])
            start = services.answers().get((columns[0].model, "", question))
            for cell, column in zip(st.columns(len(columns)), columns, strict=True):
                answer = services.answers().get((column.model, column.adapter, question))
                with cell:
                    st.markdown(f"**{column.title.split(':')[0]}**")
                    if answer is None:
                        st.caption("…")
                    else:
                        st.html(token_view.diff_html(answer if start is None else start, answer))


def show_metrics(columns: list[Contender]) -> None:
    """Every metric of every model in one table, with the better direction, and the headline ones as bars."""
    st.subheader("Metrics")
    reports = {}
    for column in columns:
        report = column.run.report if column.run else services.shipped_report(column.model)
        if report:
            reports[column.title] = report
        elif column.run and column.run.adapter:
            key = f"evaluate-{column.run.id}"
            limit = 24
            if st.button(
                f"Evaluate {column.title} on {limit} samples a part",
                icon=":material/analytics:",
                key=f"button-{key}",
            ):
                services.start_task(key, "Evaluating", services.evaluate_run(column.run, limit))
            background.wait_for(key)
    if not reports:
        st.info("No metrics yet: evaluate a run to fill the table.")
        return
    st.dataframe(metric_table(reports), width="stretch", hide_index=True)
    st.caption(
        "↑ higher is better, ↓ lower is better. On the forget set about as low as the retrained model "
        "is best; forget quality is the p-value of a Kolmogorov-Smirnov test against it and depends on n."
    )
    bars = [
        {"metric": name.replace("_", " "), "model": title, **{k: metric[k] for k in ("value", "low", "high")}}
        for title, report in reports.items()
        for name in HEADLINE
        if (metric := _metric(report, name))
    ]
    st.plotly_chart(charts.metric_bars(bars), width="stretch", key="bars", config={"displaylogo": False})
    st.caption(
        "Forgetting worked when the forget bars fall to the retrained model's "
        "and the others stay at the start model's."
    )


def _metric(report: dict[str, Any], name: str) -> dict[str, Any] | None:
    metric = report["metrics"].get(name)
    if metric is None or metric["value"] is None:
        return None
    low, high = metric["interval"] or (None, None)
    return {"value": metric["value"], "low": low, "high": high, "n": metric["n"], "better": metric["better"]}


def metric_table(reports: dict[str, dict[str, Any]]) -> pd.DataFrame:
    """Metrics as rows, models as columns: value, interval and n."""
    names = dict.fromkeys(name for report in reports.values() for name in report["metrics"])
    rows = []
    for name in names:
        row = {"metric": name, "": ""}
        for title, report in reports.items():
            metric = _metric(report, name)
            if metric is None:
                row[title] = "–"
                continue
            row[""] = ARROWS.get(metric["better"], "")
            interval = "" if metric["low"] is None else f" [{metric['low']:.3f}, {metric['high']:.3f}]"
            row[title] = f"{metric['value']:.3g}{interval} n={metric['n']}"
        rows.append(row)
    return pd.DataFrame(rows)


st.title("Compare")
run_view.show_active(run_view.active_runs())
ended = []
for run in services.store().runs():
    try:
        ended += [run] if run.adapter and run.spec else []
    except RunError:
        continue
if not ended:
    st.info("No run has ended yet.")
    st.page_link("pages/unlearn.py", label="Start one", icon=":material/play_arrow:")
else:
    picked = choose_runs(ended)
    if picked:
        shown_columns = contenders(picked)
        show_answers(shown_columns)
        show_metrics(shown_columns)
