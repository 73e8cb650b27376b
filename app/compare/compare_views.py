"""The views of a comparison: outcome, questions, tokens, settings."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from app import access, background, services, tasks
from app.charts import decimate
from app.compare import (
    answer_diff,
    compare_charts,
    comparison,
    export,
    retrained_model,
    verdict_panel,
)
from app.compare.comparison import ABSENT, Contender
from app.compare.run_index import HEADLINE, RunEntry, figure_of
from app.errors import show_error
from app.glossary import meaning
from app.markdown import code
from app.token_view import visible
from app.unlearn.run_view import weights_move
from tokenunlearn.errors import TokenUnlearnError
from tokenunlearn.evaluation.claims import Verdict
from tokenunlearn.evaluation.report import ReportValues
from tokenunlearn.evaluation.token_changes import TokenChange, summarize
from tokenunlearn.runs.retraining import retrained_for
from tokenunlearn.runs.run import Run

BARS = ("forget/gold_span", "forget/gold_span_paraphrased", "retain/gold_span", "model_utility")
SYMBOLS = ("circle", "triangle-up", "star", "cross", "pentagon", "hexagram", "x", "triangle-down")
EVALUATED = 24
RECALLED = 0.5  # share of a question's facts above which it counts as recalled


def reports_of(columns: Sequence[Contender]) -> dict[str, ReportValues]:
    """Contender's name -> its report, where there is one."""
    runs = [column.run for column in columns if column.run]
    measured = {run: report for run in runs if (report := services.run_report(run))}
    suites = {report["suite"] for report in measured.values()}
    reports = {}
    for column in columns:
        if column.run:
            report = measured.get(column.run)
        else:
            report = services.shipped_report(column.source.name)
            if report is None or (suites and report["suite"] not in suites):
                report = _beside(column, measured)
        if report:
            reports[column.name] = report
    return reports


def _beside(column: Contender, measured: Mapping[Run, ReportValues]) -> ReportValues | None:
    """The report of a start or retrained model that was measured together with a run on own samples."""
    for run, report in measured.items():
        if column.source == comparison.start_of(run) and (start := services.start_report(run)):
            return start
        if column.source.name == report["settings"].get("retrained"):
            return retrained_model.retrained_figures(report)
    return None


def verdicts_of(columns: Sequence[Contender]) -> dict[str, Verdict]:
    """Letter of a run -> the verdict on it, where it was evaluated."""
    runs = {column.name: column.run for column in columns if column.run}
    return {name: verdict for name, run in runs.items() if (verdict := services.run_verdict(run))}


def show_verdicts(columns: Sequence[Contender]) -> None:
    """What the figures of each run support saying, before anything else; of several runs each on a click."""
    verdicts = verdicts_of(columns)
    for column in columns:
        if column.run is None:
            continue
        verdict = verdicts.get(column.name)
        if verdict is None:
            st.info(
                f"{column.name} is not evaluated yet, so it has no verdict. Evaluate it in the Outcome view."
            )
        elif len(verdicts) == 1:
            st.html(verdict_panel.panel_html(verdict, column.title))
        else:
            with st.expander(f"{column.name}: {verdict.headline}"):
                st.html(verdict_panel.panel_html(verdict))


def changes_of(columns: Sequence[Contender]) -> dict[str, list[TokenChange]]:
    """Letter of a run -> its token changes, where it kept any; a damaged file shows one sentence."""
    by_run = {}
    for column in columns:
        try:
            changes = services.token_changes(column.run) if column.run else None
        except TokenUnlearnError as error:
            show_error(error)
            continue
        if changes:
            by_run[column.name] = changes
    return by_run


def colors_of(columns: Sequence[Contender]) -> dict[str, str]:
    """Contender's name -> color."""
    return {column.name: column.color for column in columns}


def figures(
    columns: Sequence[Contender], entries: Sequence[RunEntry], reports: Mapping[str, ReportValues]
) -> list[tuple[str, str, go.Figure]]:
    """Heading, what to see, and figure of everything that concerns whole runs."""
    drawn = []
    points = _points(columns, entries, reports)
    if points:
        sentence = (
            "Up and to the left is better: few forget-set facts still recalled, utility unchanged. Small "
            "markers are other runs of the same models; the dotted line is the Pareto front of the runs."
        )
        drawn.append(("Forgetting and utility", sentence, compare_charts.trade_off(points)))
    rows = [row for row in comparison.metric_rows(reports) if row["metric"] in BARS]
    if rows:
        sentence = (
            "Ideally the forget bars drop to the level of the retrained model and the other bars stay at "
            "the level of the start model. Error bars: 95 % CI."
        )
        drawn.append(("Headline metrics", sentence, compare_charts.metric_bars(rows, colors_of(columns))))
    curves = {}
    for column in columns:
        records = services.run_records(column.run) if column.run else []
        values = [(r["step"], nll) for r in records if (nll := r.get("forget_nll")) is not None]
        if values:
            shown = [values[i] for i in decimate([nll for _, nll in values])]
            curves[column.name] = ([step for step, _ in shown], [nll for _, nll in shown], column.color)
    if curves:
        sentence = (
            "The weighted NLL of the forget tokens should rise and level off before the model degrades."
        )
        drawn.append(("Forget NLL during training", sentence, compare_charts.forget_curves(curves)))
    return drawn


def _points(
    columns: Sequence[Contender], entries: Sequence[RunEntry], reports: Mapping[str, ReportValues]
) -> list[dict[str, Any]]:
    """Marks of the trade-off: contenders large, the other runs of the same start models small."""
    models = {column.source.name for column in columns if column.run}
    chosen = {column.run.id: column for column in columns if column.run}
    points: list[dict[str, Any]] = []
    for entry in reversed(entries):
        if entry.spec.model in models and set(HEADLINE) <= entry.headline.keys():
            column = chosen.get(entry.id)
            place = list(chosen).index(entry.id) if column else 0
            points.append(
                {
                    "name": column.title if column else entry.label,
                    "color": entry.color,
                    "symbol": SYMBOLS[place % len(SYMBOLS)],
                    "chosen": column is not None,
                    "run": True,
                    "forget": entry.headline[HEADLINE[0]],
                    "utility": entry.headline[HEADLINE[1]],
                }
            )
    points.sort(key=lambda point: point["name"] if point["chosen"] else "")
    for column in columns:
        metrics = reports[column.name]["metrics"] if column.name in reports else {}
        headline = [figure_of(metrics, name) for name in HEADLINE]
        if column.run is None and all(headline):
            symbol = "diamond" if column.name.startswith("retrained") else "square"
            points.append(
                {"name": column.name, "color": column.color, "symbol": symbol, "chosen": True, "run": False}
                | dict(zip(("forget", "utility"), headline, strict=True))
            )
    return points


def chart(heading: str, sentence: str, figure: go.Figure) -> None:
    """A figure under its heading, the sentence that says what to see, and the figure as an HTML file.

    The camera in the figure's own toolbar saves it in the format chosen under Export.
    """
    name = heading.lower().replace(" ", "-")
    camera = {"format": st.session_state.get("image") or "svg", "filename": name}
    st.subheader(heading)
    st.plotly_chart(
        figure,
        width="stretch",
        key=f"chart-{name}",
        alt=f"{heading}. {sentence}",
        config={"displaylogo": False, "toImageButtonOptions": camera},
    )
    text, button = st.columns([4, 1])
    text.caption(sentence)
    button.download_button(
        "Download chart (HTML)",
        lambda: export.figure_html(figure),
        f"{name}.html",
        "text/html",
        key=f"save-{name}",
        type="tertiary",
        icon=":material/download:",
        on_click="ignore",
        help="A standalone file that opens offline",
    )


def show_outcome(
    columns: Sequence[Contender],
    drawn: Sequence[tuple[str, str, go.Figure]],
    reports: Mapping[str, ReportValues],
) -> None:
    """Charts of whole runs and every metric of every model."""
    for column in columns:
        if column.run and column.loadable and not services.shipped(column.run):
            start = next(c for c in columns if c.run is None and c.source == comparison.start_of(column.run))
            _offer_evaluation(column, start, reports)
    for heading, sentence, figure in drawn:
        chart(heading, sentence, figure)
    if not reports:
        st.info("No metrics yet. Evaluate a run to see them.")
        return
    st.subheader("All metrics", help=meaning("utility", "gold span", "nats", "retrained"))
    table = comparison.metric_table(comparison.metric_rows(reports))
    st.dataframe(
        pd.DataFrame(table), hide_index=True, placeholder=ABSENT, alt="Metrics as rows, models as columns"
    )
    st.caption(
        "Each cell: value [95 % CI] and n. ↑ higher is better, ↓ lower is better, → closest to the retrained "
        "model is best. On the forget set, the target is the retrained model's value. Forget quality is the "
        "p-value of a Kolmogorov-Smirnov test against the retrained model and depends on n."
    )
    for name, note in comparison.notes_of(reports):
        st.text(f"{name}: {note}")
    limits = {name: str(report["settings"].get("limit") or "all") for name, report in reports.items()}
    if len(set(limits.values())) > 1:
        sizes = ", ".join(f"{name} {limit}" for name, limit in limits.items())
        st.caption(f"The number of samples per split differs ({sizes}), so the intervals do too.")


def _offer_evaluation(column: Contender, start: Contender, reports: Mapping[str, ReportValues]) -> None:
    """What is not measured yet: a run, and on own samples its start model and the retrained model."""
    run, report = column.run, reports.get(column.name)
    assert run is not None
    limit = report["settings"]["limit"] if report else EVALUATED
    size = f"{limit} samples per split" if limit else "all samples"
    late = report and services.is_own(run.spec.samples) and not report["settings"].get("retrained")
    if report is None or (late and retrained_for(run)):
        _offer(f"evaluate-{run.id}", f"Evaluate {column.name} ({size})", services.evaluate_run(run, limit))
    if report and start.name not in reports and services.is_own(run.spec.samples):
        _offer(
            f"start-{run.id}",
            f"Evaluate the start model of {column.name} ({size})",
            services.evaluate_start(run, limit),
        )
    if services.lacks_retrained(run):
        retrained_model.offer(column, limit)


def _offer(
    key: str,
    label: str,
    work: Callable[[tasks.Task], Any],
    icon: str = ":material/analytics:",
    text: str | None = None,
) -> None:
    """A button that has the worker do something, and its progress."""
    if access.may("start") and st.button(label, icon=icon, key=f"button-{key}", help=text):
        tasks.start(key, label, work)
    background.wait_for(key)


def show_questions(reports: Mapping[str, ReportValues]) -> None:
    """Which questions are still answered: one row a question that all reports cover."""
    splits = comparison.splits_of(reports.values())
    if not splits:
        st.info("No metrics yet. Evaluate a run in the Outcome view.")
        return
    left, middle, right = st.columns([2, 2, 1], vertical_alignment="bottom")
    split = left.selectbox("Split", splits, key="questions", bind="query-params")
    names = comparison.row_metrics(reports.values(), split or splits[0])
    usual = names.index("gold_span") if "gold_span" in names else 0
    metric = middle.selectbox("Metric", names, index=usual, key="metric", bind="query-params")
    differing = right.toggle("Only differences", key="differing", bind="query-params")
    if metric is None:
        return
    rows = comparison.question_rows(reports, split or splits[0], [metric])
    columns = [f"{metric}, {name}" for name in reports]
    if metric.startswith("gold_span"):
        counts = (
            f"{name} {sum((row.get(column) or 0) > RECALLED for row in rows)}"
            for name, column in zip(reports, columns, strict=True)
        )
        st.text(f"Fact still recalled (of {len(rows)}): {', '.join(counts)}")
    if differing:
        rows = [row for row in rows if len({row.get(column) for column in columns}) > 1]
    shares = all(0 <= (row.get(column) or 0) <= 1 for row in rows for column in columns)
    config = {
        column: st.column_config.ProgressColumn(min_value=0, max_value=1, format="%.2f", color="gray")
        if shares
        else st.column_config.NumberColumn(format="%.3f")
        for column in columns
    }
    config["question"] = st.column_config.TextColumn(width=240)  # leaves room for values on a narrow screen
    order = ["question", *columns, "answer", *(f"answer, {name}" for name in reports), "sample_id"]
    st.dataframe(
        pd.DataFrame(rows),
        hide_index=True,
        column_order=order,
        column_config=config,
        placeholder=ABSENT,
        alt="Questions as rows",
    )
    st.caption("Value per question, for the questions covered by all reports.")


def show_tokens(columns: Sequence[Contender]) -> None:
    """What happened to every response token of the forget set, beside the weights that were applied."""
    changes = changes_of(columns)
    for column in columns:
        stored = column.name in changes or (column.run and services.shipped(column.run))
        if column.run and column.loadable and not stored:
            _offer(
                f"tokens-{column.run.id}",
                f"Compute token-level results of {column.name}",
                services.measure_tokens(column.run),
            )
    if not changes:
        st.info("No token-level results are stored for these runs. Compute them to see this view.")
        return
    summaries = [{"run": name, **row} for name, tokens in changes.items() for row in summarize(tokens)]
    st.dataframe(
        pd.DataFrame(summaries),
        hide_index=True,
        placeholder=ABSENT,
        alt="Median change of tokens with a weight of at least 1 and of the others, per run",
        column_config={
            "change": st.column_config.NumberColumn("median Δ log p, nats", format="%.2f"),
            "low": st.column_config.NumberColumn("10th percentile", format="%.2f"),
            "high": st.column_config.NumberColumn("90th percentile", format="%.2f"),
            "rank_before": st.column_config.NumberColumn("median rank before", format="%.0f"),
            "rank_after": st.column_config.NumberColumn("median rank after", format="%.0f"),
        },
    )
    st.caption(
        "Tokens with a weight of at least 1 should drop far below 0; the others should stay near 0. "
        "Rank 1 is the model's most probable token."
    )
    moving = {
        name: str(column.run.spec.config["weighting"])
        for name in changes
        for column in columns
        if column.name == name and column.run and weights_move(column.run.spec)
    }
    if moving:
        weightings = ", ".join(f"{name} ({code(weighting)})" for name, weighting in moving.items())
        st.caption(
            f"The weights of {weightings} change in every step; the mean over the steps that used the "
            "sample is shown."
        )
    by_sample = {name: {change.sample_id: change for change in tokens} for name, tokens in changes.items()}
    ids = list(dict.fromkeys(i for samples in by_sample.values() for i in samples))
    sample = st.selectbox("Sample", ids, key="sample", bind="query-params")
    shown = {name: samples[sample] for name, samples in by_sample.items() if sample in samples}
    first = next(iter(shown.values()))
    shown = {name: change for name, change in shown.items() if change.texts == first.texts}
    if len(shown) < sum(sample in samples for samples in by_sample.values()):
        st.caption("Runs whose model tokenizes this response differently are not shown.")
    st.text(first.question)
    largest = max(float(-change.change.min(initial=0.0)) for change in shown.values())
    for cell, (name, change) in zip(st.columns(len(shown)), shown.items(), strict=True):
        with cell.container(border=True):
            st.text(next(column.title for column in columns if column.name == name))
            st.html(answer_diff.change_html(change, largest))
    st.caption(
        f"Darker: larger drop in log-probability, up to {largest:.1f} nats. Underlined: weight of at least 1."
    )
    chart(
        "Change per token",
        "Top: change in log-probability per token. Bottom: weight during training.",
        compare_charts.token_change_bars(shown, colors_of(columns)),
    )
    table = comparison.token_rows(shown)
    for row in table:
        row["token"] = visible(row["token"])
    numbers = {
        f"{name} {column}": st.column_config.NumberColumn(format=form)
        for name in shown
        for column, form in (
            ("weight", "%.2f"),
            ("p before", "%.3f"),
            ("p after", "%.3f"),
            ("Δ log p", "%.2f"),
        )
    }
    st.dataframe(
        pd.DataFrame(table),
        hide_index=True,
        column_config=numbers,
        placeholder=ABSENT,
        alt="Response tokens as rows",
    )


def show_requests(columns: Sequence[Contender]) -> None:
    """Which requests led to each run's model, and how well each is forgotten after the later ones."""
    for column in columns:
        if column.run is None:
            continue
        st.subheader(column.name)
        st.text(column.label)
        try:
            rows = comparison.request_rows(column.run.lineage)
        except TokenUnlearnError as error:
            show_error(error)
            continue
        for row in rows:
            row["forget set"] = services.set_name(row["forget set"])
        st.dataframe(
            pd.DataFrame(rows),
            hide_index=True,
            placeholder=ABSENT,
            alt="Requests as rows, in order; what was measured after each of them as columns",
        )
    st.caption(
        "Each cell: value [95 % CI] and n. Low values are forgotten. spans_recalled: share of the gold spans "
        "that the model would write after the true tokens before them. probability: length-normalized "
        "probability of the answers, where a set has no gold spans."
    )


def offer_model(name: str, run: Run) -> None:
    """Write the whole model of a run, with all runs before it, into the folder of exports, and say where."""
    folder = services.export_folder(run)
    if folder.exists():
        st.caption(f"Model of {name}")
        line = f'AutoModelForCausalLM.from_pretrained("{folder}")'
        st.code(line, language="python", wrap_lines=True)
    else:
        _offer(
            f"export-{run.id}",
            f"Export model of {name}",
            services.export_model(run),
            icon=":material/deployed_code:",
            text=f"Merged weights, tokenizer and model card, into {code(str(folder))}",
        )


def show_settings(columns: Sequence[Contender]) -> None:
    """Settings that differ between the runs; all of them on demand."""
    specs = {column.name: column.run.spec for column in columns if column.run}
    every = st.toggle("All settings", key="all_settings", bind="query-params")
    rows = comparison.settings_rows(specs, only_different=not every)
    if rows:
        st.dataframe(
            pd.DataFrame(rows), hide_index=True, placeholder=ABSENT, alt="Settings as rows, runs as columns"
        )
    else:
        what = (
            "The runs have the same settings."
            if len(specs) > 1
            else "Select a second run to see which settings differ."
        )
        st.caption(what)
