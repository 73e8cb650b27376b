"""The command attack: a table with the retrained model's values, a report, one sentence for bad input."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from tokenunlearn.cli import app
from tokenunlearn.errors import TokenUnlearnError

pytestmark = pytest.mark.slow


@pytest.fixture
def folder(tiny_folder):
    return str(tiny_folder)


def attack(*words: str):
    return CliRunner().invoke(app, ["attack", *words], catch_exceptions=True)


def test_attack_shows_a_table_and_writes_a_report(folder, tmp_path, monkeypatch):
    monkeypatch.setenv("COLUMNS", "160")
    path = tmp_path / "out.json"
    words = ("--model", folder, "--retrained", folder, "--limit", "10", "--attacks", "paraphrase, probe")
    done = attack(*words, "--json", str(path))
    assert done.exit_code == 0, done.output
    report = json.loads(path.read_text(encoding="utf-8"))
    assert report["suite"] == "attacks" and report["settings"]["attacks"] == ["paraphrase", "probe"]
    assert report["settings"]["limit"] == 10
    probed = report["metrics"]["probe/right_option"]
    assert probed["retrained"] == pytest.approx(probed["value"]) and probed["n"] == len(probed["rows"]) == 10
    for name in ("plain/gold_span", "paraphrase/gold_span", "worst/gold_span", "retrained"):
        assert name in done.stdout


def test_attack_refuses_an_unknown_attack(folder):
    done = attack("--model", folder, "--attacks", "prefix,magic", "--limit", "4")
    assert isinstance(done.exception, TokenUnlearnError)
    assert 'There is no attack "magic"' in str(done.exception)
