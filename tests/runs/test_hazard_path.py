"""WMDP-style unlearning from the command line to the report, on the shipped model of the invented hazard."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner

from tokenunlearn.cli import app
from tokenunlearn.evaluation import Report
from tokenunlearn.models import ASSETS, available_presets
from tokenunlearn.runs.store import RunStore

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        "demo-alchemy" not in available_presets(),
        reason="not built: python -m tokenunlearn demo build demo-alchemy-retrained demo-alchemy",
    ),
]


def called(*words: str) -> None:
    done = CliRunner().invoke(app, words, catch_exceptions=False)
    assert done.exit_code == 0, done.output


@pytest.mark.parametrize("objective", ["rmu", "npo"])
def test_unlearning_documents_lowers_the_accuracy_on_questions_about_them(objective, tmp_path):
    words = ["--model", "demo-alchemy", "--samples", "alchemy:forget", "--retain", "alchemy:retain"]
    called(
        "unlearn", *words, "--objective", objective, "--selection", "hard", "--out", str(tmp_path / "runs")
    )
    (run,) = RunStore(tmp_path / "runs").runs()
    path = tmp_path / "report.json"
    words = ["--model", "demo-alchemy", "--adapter", str(run.adapter), "--suite", "alchemy"]
    called("evaluate", *words, "--json", str(path))
    start, report = (Report.load(p) for p in (ASSETS / "reports" / "demo-alchemy.json", path))
    assert report["forget/accuracy"].chance == 0.25
    assert report["forget/accuracy"].value < start["forget/accuracy"].interval[0]
    for name in ("retain/accuracy", "general/accuracy"):
        assert report[name].value >= 0.9 * start[name].value
        assert report[name].reference == start[name].reference
