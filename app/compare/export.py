"""Exports: tables as CSV and JSON, a figure and a whole comparison as HTML that opens offline. Pure."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import Any

import plotly.graph_objects as go

from app.compare import answer_diff, picture, verdict_panel
from app.compare.comparison import (
    Contender,
    metric_table,
    notes_of,
    question_rows,
    row_metrics,
    settings_rows,
    splits_of,
    subjects,
)
from app.numbers import counted, measured
from tokenunlearn import spreadsheets
from tokenunlearn.evaluation.claims import Verdict
from tokenunlearn.evaluation.report import ReportValues
from tokenunlearn.evaluation.token_changes import TokenChange, summarize
from tokenunlearn.runs.run_files import DEPTH
from tokenunlearn.runs.spec import RunSpec

FIGURE_CONFIG = {"displaylogo": False, "responsive": True}
HASHED_FILES = (
    "spec.json",
    "scores.parquet",
    "metrics.jsonl",
    "tokens.parquet",
    DEPTH,
    "generations.json",
    "report.json",
)
NO_NETWORK = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data: blob:"
STYLE = """
:root { color-scheme: light; }
body { font: 16px/1.5 system-ui, sans-serif; color: #030712; background: #fff; max-width: 70rem;
  margin: 2rem auto; padding: 0 1rem; }
h1, h2, h3 { line-height: 1.25; } h2 { margin-top: 2.5rem; border-bottom: 1px solid #d1d5db; }
table { border-collapse: collapse; font-size: .9rem; } .wide { overflow-x: auto; }
th, td { border: 1px solid #d1d5db; padding: .3rem .55rem; text-align: left; vertical-align: top; }
th { background: #f3f4f6; }
pre { background: #f3f4f6; padding: .8rem; overflow-x: auto; white-space: pre-wrap; }
.note { color: #4b5563; font-size: .9rem; } td, p, h3 { overflow-wrap: anywhere; unicode-bidi: plaintext; }
"""


@dataclass(frozen=True)
class Comparison:
    """What a report shows.

    Attributes:
        columns: Start models, runs, retrained models.
        specs: Letter of the run -> its spec.
        statuses: Letter -> status and message.
        metrics: Rows of :func:`~app.compare.comparison.metric_rows`, models by name.
        reports: Name of the model -> report, for versions, revision and settings.
        figures: Heading, what to see, figure.
        answers: Split -> rows of question, answer, and replies by name of the model.
        changes: Letter -> token changes.
        hashes: Letter -> file -> sha256.
        commands: Letter -> the command line that repeats the run.
        created: UTC time, ISO 8601.
        verdicts: Letter -> the verdict on the run, where it was evaluated.
    """

    columns: Sequence[Contender]
    specs: Mapping[str, RunSpec]
    statuses: Mapping[str, str]
    metrics: Sequence[Mapping[str, Any]]
    reports: Mapping[str, ReportValues]
    figures: Sequence[tuple[str, str, go.Figure]] = ()
    answers: Mapping[str, Sequence[Mapping[str, Any]]] = field(default_factory=dict)
    changes: Mapping[str, Sequence[TokenChange]] = field(default_factory=dict)
    hashes: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    commands: Mapping[str, str] = field(default_factory=dict)
    created: str = ""
    verdicts: Mapping[str, Verdict] = field(default_factory=dict)


def to_csv(rows: Sequence[Mapping[str, Any]]) -> str:
    """Rows as CSV, with a column for every name in any of them."""
    return spreadsheets.to_csv(rows, list(dict.fromkeys(name for row in rows for name in row)))


def to_json(rows: Sequence[Mapping[str, Any]]) -> str:
    """Rows as JSON."""
    return json.dumps(list(rows), ensure_ascii=False, indent=2)


def figure_html(figure: go.Figure) -> str:
    """A figure as one HTML file with plotly.js inside."""
    light = go.Figure(figure).update_layout(template="plotly_white")
    return str(light.to_html(include_plotlyjs=True, config=FIGURE_CONFIG))


def file_hashes(folder: Path) -> dict[str, str]:
    """The sha256 of every file of a run that is there, its adapter's weights aside."""
    return {
        name: hashlib.sha256((folder / name).read_bytes()).hexdigest()
        for name in HASHED_FILES
        if os.path.isfile(folder / name)
    }


def comparison_html(c: Comparison) -> str:
    """A comparison as one HTML document: no request leaves it, every text in it is escaped."""
    from plotly.offline import get_plotlyjs

    sections = [
        ("Runs", _runs(c)),
        ("At a glance", _picture(c)),
        ("Verdict", _verdicts(c)),
        ("Settings that differ", _settings(c)),
        ("Metrics", _metrics(c)),
        *((heading, _figure(sentence, figure, i)) for i, (heading, sentence, figure) in enumerate(c.figures)),
        ("Questions", _questions(c)),
        ("Tokens", _tokens(c)),
        ("Answers", _answers(c)),
        ("Reproduce", _repeat(c)),
    ]
    body = "".join(
        f"<section><h2>{escape(heading)}</h2>{html}</section>" for heading, html in sections if html
    )
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<meta http-equiv="Content-Security-Policy" content="{NO_NETWORK}">'
        f"<title>TokenUnlearn comparison</title><style>{STYLE}</style>{answer_diff.STYLE}"
        f"<script>{get_plotlyjs()}</script></head><body><h1>Comparison of unlearning runs</h1>"
        f'<p class="note">Created by TokenUnlearn at {escape(c.created)} (UTC) from stored results.</p>'
        f"{body}</body></html>\n"
    )


def _table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Rows as an HTML table; every cell is escaped."""
    if not rows:
        return ""
    names = list(dict.fromkeys(name for row in rows for name in row))
    head = "".join(f'<th scope="col">{escape(str(name))}</th>' for name in names)
    lines = (
        "<tr>" + "".join(f"<td>{escape(_cell(row.get(name)))}</td>" for name in names) + "</tr>"
        for row in rows
    )
    return _scrolling(head, lines)


def _scrolling(head: str, lines: Iterable[str]) -> str:
    """A table of ready-made cells that scrolls sideways in its own box."""
    body = f"<thead><tr>{head}</tr></thead><tbody>{''.join(lines)}</tbody>"
    return f'<div class="wide" tabindex="0"><table>{body}</table></div>'


def _cell(value: Any) -> str:
    if value is None:
        return "–"
    return measured(value) if isinstance(value, float) else str(value)


def _runs(c: Comparison) -> str:
    lines = []
    for column in c.columns:
        mark = f'<span style="color: {escape(column.color)}">{column.mark}</span>'
        what = f"{column.label} ({column.run.id})" if column.run else column.source.name
        status = c.statuses.get(column.name, "")
        cells = f"<td>{escape(what)}</td><td>{escape(status)}</td>"
        lines.append(f"<tr><th scope='row'>{mark} {escape(column.name)}</th>{cells}</tr>")
    sets = "".join(f"<p>{escape(sentence)}</p>" for sentence in subjects(c.specs))
    return f"<table>{''.join(lines)}</table>{sets}"


def _picture(c: Comparison) -> str:
    drawn = picture.panels(c.reports)
    if not drawn:
        return ""
    note = f"{picture.LEGEND} {picture.size_note(drawn)}".strip()
    return f'{picture.picture_html(c.columns, drawn)}<p class="note">{escape(note)}</p>'


def _verdicts(c: Comparison) -> str:
    return "".join(
        verdict_panel.panel_html(verdict, letter, folded=False) for letter, verdict in c.verdicts.items()
    )


def _settings(c: Comparison) -> str:
    different = settings_rows(c.specs)
    shown = _table(different) or "<p>The runs have the same settings.</p>" if len(c.specs) > 1 else ""
    every = _table(settings_rows(c.specs, only_different=False))
    return f"{shown}<details><summary>All settings</summary>{every}</details>"


def _metrics(c: Comparison) -> str:
    if not c.metrics:
        return "<p>No run has been evaluated.</p>"
    note = (
        "Each cell: value [95 % bootstrap CI over rows] and n. ↑ higher is better, ↓ lower is better, "
        "→ closest to the retrained model is best. On the forget set, the target is the retrained model's "
        "value."
    )
    notes = "".join(f"<li>{escape(f'{name}: {text}')}</li>" for name, text in notes_of(c.reports))
    return f'<p class="note">{note}</p>{_table(metric_table(c.metrics))}<ul class="note">{notes}</ul>'


def _figure(sentence: str, figure: go.Figure, number: int) -> str:
    light = go.Figure(figure).update_layout(template="plotly_white")
    drawn = light.to_html(
        include_plotlyjs=False, full_html=False, config=FIGURE_CONFIG, div_id=f"figure-{number}"
    )
    return f'<p class="note">{escape(sentence)}</p>{drawn}'


def _questions(c: Comparison) -> str:
    """Every metric of every question that all reports cover, split by split."""
    sections = []
    for split in splits_of(c.reports.values()):
        rows = question_rows(c.reports, split, row_metrics(c.reports.values(), split))
        if rows:
            head = f"{escape(split)}: {counted(len(rows), 'question')} covered by all reports"
            sections.append(f"<details><summary>{head}</summary>{_table(rows)}</details>")
    return "".join(sections)


def _tokens(c: Comparison) -> str:
    parts = []
    for letter, changes in c.changes.items():
        largest = max((float(-x.change.min(initial=0.0)) for x in changes), default=0.0)
        texts = "".join(
            f"<p><strong>{escape(x.question)}</strong></p>"
            f"{answer_diff.change_html(x, largest).removeprefix(answer_diff.STYLE)}"
            for x in changes
        )
        parts.append(
            f"<h3>{escape(letter)}</h3>{_table(summarize(changes))}"
            f"<details><summary>All responses of the forget set ({len(changes)})</summary>{texts}</details>"
        )
    note = (
        "change: median change in log-probability, nats; low and high: 10th and 90th percentile over tokens; "
        "rank 1 is the model's most probable token. In the responses, darker tokens lost more "
        "log-probability and underlined tokens had a weight of at least 1."
    )
    return f'<p class="note">{note}</p>{"".join(parts)}' if parts else ""


def _answers(c: Comparison) -> str:
    tables = []
    for split, rows in c.answers.items():
        names = list(dict.fromkeys(name for row in rows for name in row["replies"]))
        head = "".join(
            f'<th scope="col">{escape(name)}</th>' for name in ("question", "ground-truth answer", *names)
        )
        lines = []
        for row in rows:
            start = next(iter(row["replies"].values()), "")
            cells = [f"<td>{escape(row['question'])}</td><td>{escape(row['answer'])}</td>"]
            for name in names:
                reply = row["replies"].get(name)
                shown = "–" if reply is None else answer_diff.diff_html(start, reply)
                cells.append(f"<td>{shown.removeprefix(answer_diff.STYLE)}</td>")
            lines.append(f"<tr>{''.join(cells)}</tr>")
        tables.append(f"<h3>{escape(split)}</h3>{_scrolling(head, lines)}")
    note = '<p class="note">Greedy decoding; differences from the first model are highlighted.</p>'
    return note + "".join(tables) if tables else ""


def _repeat(c: Comparison) -> str:
    parts = []
    for letter, spec in c.specs.items():
        facts = [{"item": f"{name} version", "value": value} for name, value in spec.versions.items()]
        facts += [{"item": "score set", "value": spec.score_hash or "computed by the run"}]
        facts += [
            {"item": f"sha256 of {name}", "value": value} for name, value in c.hashes.get(letter, {}).items()
        ]
        parts.append(
            f"<h3>{escape(letter)}: {escape(spec.id)}</h3><pre>{escape(c.commands.get(letter, ''))}</pre>"
            f"<details><summary>Versions and hashes</summary>{_table(facts)}</details>"
        )
    evaluated = [
        {
            "model": name,
            "revision": report.get("revision", ""),
            "suite": report.get("suite", ""),
            **{k: _cell(v) for k, v in report.get("settings", {}).items()},
            **{f"{k} version": v for k, v in report.get("versions", {}).items()},
            "code": report.get("git_revision", ""),
            "device": report.get("device", ""),
        }
        for name, report in c.reports.items()
    ]
    return "".join(parts) + (f"<h3>Evaluations</h3>{_table(evaluated)}" if evaluated else "")
