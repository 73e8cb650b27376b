"""Exports: tables come back, the report holds everything, nothing in it is markup or asks the network."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import re
from dataclasses import replace
from html.parser import HTMLParser

import plotly.graph_objects as go
import pytest

from app.compare import compare_charts, comparison, export, run_index
from tests.stored_run import HOSTILE, changes, report, write_run
from tokenunlearn.evaluation.claims import Claim, Verdict
from tokenunlearn.runs.store import RunStore


@pytest.fixture
def compared(tmp_path):
    write_run(tmp_path, "20260101-100000-npo-hard-0001", f"one {HOSTILE}", steps=10)
    write_run(tmp_path, "20260102-100000-npo-hard-0002", "two", steps=20)
    entries = run_index.entries(RunStore(tmp_path).runs())
    columns = comparison.contenders(entries)
    reports = {"start": report([1.0, 1.0], 0.6, HOSTILE), "A": report([0.0, 0.5], 0.5, HOSTILE)}
    figure = compare_charts.forget_curves({"A": ([1, 2], [0.5, 2.0], "#ff0000")})
    replies = {"start": "Born in Calverra.", "A": HOSTILE}
    return export.Comparison(
        columns=columns,
        specs={"A": entries[0].spec, "B": entries[1].spec},
        statuses={"A": "completed", "B": f"failed {HOSTILE}"},
        metrics=comparison.metric_rows(reports),
        reports=reports,
        figures=[
            ("Headline", "What to see.", figure),
            (HOSTILE, HOSTILE, go.Figure(go.Bar(x=[HOSTILE], y=[1]))),
        ],
        answers={"forget": [{"question": HOSTILE, "answer": HOSTILE, "replies": replies}]},
        changes={"A": changes(5.0)},
        hashes={"A": export.file_hashes(entries[0].run.folder)},
        commands={"A": f"python {HOSTILE}"},
        created="2026-01-01T00:00:00+00:00",
    )


class Tags(HTMLParser):
    """Every tag with its attributes, and the text outside scripts and styles."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict]] = []
        self.text = ""
        self.inside = ""
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self.inside = tag

    def handle_endtag(self, tag):
        self.inside = ""

    def handle_data(self, data):
        if self.inside not in ("script", "style"):
            self.text += data


def test_the_report_is_whole_escaped_and_self_contained(compared):
    html = export.comparison_html(compared)
    found = Tags(html)
    assert HOSTILE in found.text  # as text ...
    assert "<script>document.title" not in html  # ... never as markup
    assert html.count("plotly.js v") == 1
    assert [
        a
        for tag, a in found.tags
        if tag in ("script", "link", "img", "iframe") and (a.keys() & {"src", "href"})
    ] == []
    for wanted in (
        "steps",
        "0.250 [0.150, 0.350] n=2",
        "weight ≥ 1",
        "forget: 2 questions covered by all reports",
        "gold_span, A",
        "abc123",
        "c0ffee",
        "torch version",
    ):
        assert wanted in found.text
    digest = hashlib.sha256((compared.columns[1].run.folder / "spec.json").read_bytes()).hexdigest()
    assert digest in found.text
    assert "default-src 'none'" in html


def test_a_report_of_one_run_without_metrics(compared, tmp_path):
    bare = export.Comparison(compared.columns[:2], {"A": compared.specs["A"]}, {}, [], {})
    text = Tags(export.comparison_html(bare)).text
    assert "No run has been evaluated." in text
    assert "All settings" in text and "At a glance" not in text


def test_the_report_begins_with_the_picture_and_marks_every_model(compared):
    html = export.comparison_html(compared)
    section = html.partition("<h2>At a glance</h2>")[2].partition("</section>")[0]
    assert section and html.index("At a glance") < html.index("Settings that differ")
    text = Tags(section).text
    assert "Secret ↓" in text and "not evaluated" in text and "A: two" in text
    runs = Tags(html.partition("<h2>Runs</h2>")[2].partition("</section>")[0]).text
    assert [runs.index(mark) for mark in "□●▲◆"] == sorted(runs.index(mark) for mark in "□●▲◆")


def test_the_report_carries_every_verdict_unfolded(compared):
    claim = Claim(f"Asked {HOSTILE}, it says nothing.", "forget/leaks", 0.0, 8, (0.0, 0.3))
    verdict = Verdict("m", "authors", "open", f"Not shown {HOSTILE}.", differs=(claim,), untested=(claim,))
    html = export.comparison_html(replace(compared, verdicts={"A": verdict}))
    section = html.partition("<h2>Verdict</h2>")[2].partition("</section>")[0]
    assert Tags(section).text.startswith(f"A: Not shown {HOSTILE}.")
    assert "0.000 (0.000 to 0.300)" in section
    assert "<details" not in section
    assert "<script>document" not in html


def test_tables_come_back():
    rows = [{"a": 1.5, "b": "x, y"}, {"a": None, "c": "ü"}]
    assert json.loads(export.to_json(rows)) == rows
    found = list(csv.DictReader(io.StringIO(export.to_csv(rows))))
    assert found == [{"a": "1.5", "b": "x, y", "c": ""}, {"a": "", "b": "", "c": "ü"}]


def test_formulas_do_not_run_in_a_spreadsheet():
    (row,) = csv.DictReader(io.StringIO(export.to_csv([{"says": "=HYPERLINK(1)", "value": -1.0}])))
    assert row == {"says": "'=HYPERLINK(1)", "value": "-1.0"}


def test_a_figure_is_one_file_with_plotly_inside():
    html = export.figure_html(go.Figure(go.Bar(x=[HOSTILE], y=[1])))
    assert "plotly.js v" in html
    assert "<script>document.title" not in html
    assert not re.search(r"<script[^>]+src=", html)
