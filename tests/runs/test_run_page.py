"""A stored run in a notebook: verdict, curves, answers and figures; what a new run has of these."""

from __future__ import annotations

import pytest

from tests.runs.new_runs import new_spec
from tokenunlearn.folders import ASSETS
from tokenunlearn.runs.run import Run
from tokenunlearn.runs.store import RunStore


def shipped():
    return next(Run(path.parent) for path in (ASSETS / "runs").glob("*/spec.json"))


@pytest.mark.slow
def test_a_run_shows_verdict_curves_answers_and_figures(tmp_path):
    run = shipped()
    view = run.show()
    assert run._repr_html_() == view._repr_html_() == view.body
    assert run.id in view.title
    for text in (
        "forgets authors:forget10",
        "<polyline",
        "answers before and after",
        "<summary>Report</summary>",
    ):
        assert text in view.body
    assert "<script" not in view.save(tmp_path / "run.html").read_text(encoding="utf-8")


def test_a_new_run_says_that_it_waits(tmp_path):
    run = RunStore(tmp_path).create(new_spec("authors:forget10", label="<b>"))
    body = run.show().body
    assert "No steps" in body and "&lt;b&gt;" in body and "<b>&" in body
    assert "Report" not in body
