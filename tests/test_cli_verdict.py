"""``tokenunlearn verdict``: of a run, of reports, as JSON, and one sentence for what is not there."""

from __future__ import annotations

import json
import shutil

import pytest

from tests.stored_run import write_run
from tokenunlearn.folders import ASSETS
from tokenunlearn.runs.judgment import run_verdict, save_verdict
from tokenunlearn.runs.run import Run
from tokenunlearn.runs.run_files import ATTACKS_REPORT

SHIPPED = Run(next((ASSETS / "runs").iterdir()))


@pytest.fixture
def run(tmp_path):
    """A copy of the shipped run that may be changed."""
    return Run(shutil.copytree(SHIPPED.folder, tmp_path / "runs" / SHIPPED.id))


@pytest.mark.slow
def test_a_run_by_folder_or_id_has_its_stored_verdict(call, run):
    for words in ((str(run.folder),), (run.id, "--out", str(run.folder.parent))):
        shown = call("verdict", *words)
        assert shown.code == 0
        assert shown.out.rstrip("\n") == str(run_verdict(run))
        assert "Kept\n- Of 49 retained questions" in shown.out


@pytest.mark.slow
def test_reports_give_the_same_as_the_run(call, run):
    report, attacks = run.folder / "report.json", run.folder / ATTACKS_REPORT
    start = run.spec.model
    models = ("--start", start, "--retrained", f"{start}-retrained", "--attacks", attacks)
    assert json.loads(call("verdict", report, *models, "--json").out) == run_verdict(run).to_json()


def test_the_retrained_model_that_a_report_names_is_used(call, run):
    shown = json.loads(call("verdict", run.folder / "report.json", "--json").out)
    asked = next(c for c in shown["untested"] if c["sentence"].startswith("Asked the original questions"))
    assert asked["difference"]["method"] == "Newcombe, paired rows"


def test_attacks_in_the_folder_of_a_run_count(run):
    values = json.loads((run.folder / "report.json").read_text())
    rows = {"value": 1.0, "rows": [1.0] * 72, "retrained_rows": [0.0] * 72}
    prefix = values["metrics"]["forget/gold_span"] | rows
    values |= {"suite": "attacks", "metrics": {"prefix/gold_span": prefix}}
    (run.folder / ATTACKS_REPORT).write_text(json.dumps(values))
    save_verdict(run)
    stored = json.loads((run.folder / "verdict.json").read_text())
    assert "72 of 72" in stored["hidden"][0]["sentence"]


def test_a_wider_margin_is_taken(call, run):
    shown = json.loads(call("verdict", run.folder, "--margin", "0.9", "--json").out)
    assert (shown["margin"], shown["outcome"]) == (0.9, "gone")
    assert run_verdict(run).outcome == "hidden"


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("missing.json",), 'There is no report "missing.json"'),
        (("nobody",), 'There is no run "nobody"'),
        (("",), 'The folder "" is not a run.'),
        (("docs",), 'The folder "docs" is not a run.'),
        (("RUN", "--start", "nobody"), 'of "nobody" on authors; write one with evaluate --json'),
        (("RUN", "--attacks", "missing.json"), 'There is no report "missing.json"'),
        (("RUN", "--margin", "2"), "The margin is 2; it must be between 0 and 1."),
    ],
)
def test_what_is_not_there_is_one_sentence(call, run, words, sentence):
    shown = call("verdict", *(str(run.folder) if word == "RUN" else word for word in words))
    assert shown.code == 2
    assert sentence in " ".join(shown.err.split())


def test_a_run_that_was_not_evaluated_has_none(call, tmp_path):
    bare = write_run(tmp_path, "20260101-100000-npo-hard-0001", "bare")
    (bare.folder / "report.json").unlink()
    assert run_verdict(bare) is None
    shown = call("verdict", bare.folder)
    assert shown.code == 2
    assert "has no report; write one with evaluate --json" in shown.err
