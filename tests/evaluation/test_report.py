"""Reports survive the disk whole, name their settings and versions, and refuse what is none."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import pytest

from tokenunlearn.errors import TokenUnlearnError
from tokenunlearn.evaluation.report import Report, git_revision, read_report, versions
from tokenunlearn.evaluation.result import MetricResult
from tokenunlearn.folders import ASSETS


@pytest.fixture
def report() -> Report:
    """A report with an interval, a missing row, a retrained model's value and a figure that is no number."""
    rows = {"rows": (0.5, None, 0.0), "sample_ids": ("a", "b", "c")}
    metrics = {
        "forget/x": MetricResult("forget/x", 0.25, 2, (0.1, 0.4), "lower", retrained=0.2, **rows),
        "forget_quality": MetricResult("forget_quality", float("nan"), 2, None, "higher"),
    }
    row = {"sample_id": "a", "question": "<b>?", "answer": "Zürich", "generation": "$x$"}
    return Report(
        "demo", "abc", "authors", {"limit": None, "forget": "forget10"}, metrics, {"forget": [row]}, ["note"],
        versions(), git_revision(), "cpu", 1.5,
    )  # fmt: skip


def test_save_and_load_give_the_same_report(report, tmp_path):
    path = report.save(tmp_path / "sub" / "report.json")
    loaded = Report.load(path)
    assert math.isnan(loaded["forget_quality"].value)
    assert loaded["forget/x"] == report["forget/x"]
    assert loaded.generations == report.generations
    assert (loaded.settings, loaded.versions, loaded.git_revision) == (
        report.settings,
        report.versions,
        report.git_revision,
    )
    assert json.loads(path.read_text(encoding="utf-8"))["metrics"]["forget_quality"]["value"] is None
    assert [p.name for p in path.parent.iterdir()] == ["report.json"]


def test_reports_of_before_there_were_retrained_values_load(report, tmp_path):
    values = report.to_json()
    for metric in values["metrics"].values():
        del metric["retrained"]
    path = tmp_path / "old.json"
    path.write_text(json.dumps(values), encoding="utf-8")
    assert Report.load(path)["forget/x"].retrained is None


def test_reports_with_the_old_names_load(report, tmp_path):
    report = replace(report, settings={"retrained": "demo-retrained"})
    values = report.to_json()
    values["settings"] = {"reference": values["settings"]["retrained"]}
    for metric in values["metrics"].values():
        metric["reference"] = metric.pop("retrained")
    values["metrics"]["forget/x"]["better"] = "reference"
    path = tmp_path / "old.json"
    path.write_text(json.dumps(values), encoding="utf-8")
    loaded = Report.load(path)
    assert (loaded["forget/x"].retrained, loaded["forget/x"].better) == (0.2, "retrained")
    assert loaded.settings == report.settings
    assert read_report(path)["metrics"]["forget/x"]["better"] == "retrained"


def test_shipped_reports_have_no_old_names_once_they_are_read():
    for path in (ASSETS / "reports").glob("*.json"):
        report = read_report(path)
        for row in (report["settings"], *report["metrics"].values()):
            assert "reference" not in row and row.get("better") != "reference"


def test_table_has_one_row_a_metric(report):
    first, second = report.table()
    low_high = {"low": 0.1, "high": 0.4}
    assert first == low_high | {
        "metric": "forget/x",
        "value": 0.25,
        "n": 2,
        "retrained": 0.2,
        "better": "lower",
    }
    assert second["low"] is None


def test_versions_and_revision_say_what_computed_it():
    assert {"tokenunlearn", "python", "torch", "transformers", "peft"} <= set(versions())
    assert git_revision() == "" or len(git_revision()) == 40


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"metrics": {"x": {}}}', "\ud83d"])
def test_what_is_no_report_is_one_sentence(tmp_path, text):
    path = tmp_path / "report.json"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    with pytest.raises(TokenUnlearnError, match=r'The file ".*report.json" is not a report'):
        Report.load(path)


def test_a_missing_report_is_one_sentence(tmp_path):
    with pytest.raises(TokenUnlearnError, match="There is no report"):
        Report.load(tmp_path / "none.json")
