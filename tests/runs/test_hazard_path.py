"""WMDP-style unlearning from the command line to the report, on the shipped model of the invented hazard."""

from __future__ import annotations

import json
import shlex

import pytest
from typer.testing import CliRunner

from tokenunlearn.cli import app
from tokenunlearn.evaluation import Report
from tokenunlearn.folders import ASSETS
from tokenunlearn.runs.store import RunStore

pytestmark = pytest.mark.slow
SCORES = ASSETS / "scores" / "demo-alchemy-alchemy-forget.parquet"
DOCUMENTS = f"--samples alchemy:forget --retain alchemy:retain --scores {shlex.quote(str(SCORES))}"
EXERCISES = "--samples alchemy:forget_exercises --retain alchemy:retain_exercises"
NPO = "--objective npo --beta 0.01 --lambda 10 --learning-rate 1e-3 --steps 40"
RMU = "--objective rmu --gamma 1 --steps 20 --batch-size 6 --retain-batch-size 12"
STRONG_RMU = (
    "--objective rmu --gamma 1 --set coefficient=12 --set layer=2 --learning-rate 1e-2 --steps 100 "
    "--batch-size 12 --retain-batch-size 12"
)


def called(*words: str) -> None:
    done = CliRunner().invoke(app, words, catch_exceptions=False)
    assert done.exit_code == 0, done.output


def unlearned(tmp_path, sets: str, settings: str) -> tuple[list[dict], Report, Report]:
    """The steps of a run with uniform weights, and what start model and run answer."""
    model = ("--model", "demo-alchemy")
    words = (*shlex.split(sets), *settings.split(), "--selection", "uniform")
    called("unlearn", *model, *words, "--out", str(tmp_path / "runs"))
    (run,) = RunStore(tmp_path / "runs").runs()
    path = tmp_path / "report.json"
    called("evaluate", *model, "--adapter", str(run.adapter), "--suite", "alchemy", "--json", str(path))
    steps = [json.loads(line) for line in (run.folder / "metrics.jsonl").read_text().splitlines()]
    return steps, Report.load(ASSETS / "reports" / "demo-alchemy.json"), Report.load(path)


def test_npo_on_exercises_takes_answers_of_the_hazard_and_leaves_the_neighbours(tmp_path):
    _, start, report = unlearned(tmp_path, EXERCISES, NPO)
    assert report["forget/accuracy"].chance == 0.25
    assert report["forget/accuracy"].value < start["forget/accuracy"].interval[0]
    for name in ("retain/accuracy", "general/accuracy"):
        assert report[name].value >= 0.9 * start[name].value
        assert report[name].retrained == start[name].retrained


def test_rmu_low_in_the_model_takes_the_hazard_to_chance_and_leaves_the_neighbour(tmp_path):
    _, start, report = unlearned(tmp_path, EXERCISES, STRONG_RMU)
    low, high = report["forget/accuracy"].interval
    assert low < 0.35 and high < 0.5
    assert report["retain/accuracy"].value >= 0.9 * start["retain/accuracy"].value


def test_rmu_on_documents_steers_their_states_and_reports_all_parts(tmp_path):
    steps, start, report = unlearned(tmp_path, DOCUMENTS, RMU)
    assert steps[-1]["forget_loss"] < 0.5 * steps[0]["forget_loss"]
    assert {name for name in report.metrics if name.endswith("/accuracy")} == set(start.metrics)
    assert report["forget/accuracy"].retrained == start["forget/accuracy"].retrained < 0.35
