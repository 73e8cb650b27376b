"""``tokenunlearn evaluate``: a table or JSON, and what cannot be measured."""

from __future__ import annotations

import json

import pytest

from tokenunlearn.errors import TokenUnlearnError
from tokenunlearn.models.loading import load_model
from tokenunlearn.runs.store import RunStore


@pytest.mark.slow
def test_evaluate_prints_a_table_or_the_report(call, model, tmp_path, monkeypatch, unlearned):
    words = ("evaluate", "--model", model, "--adapter", unlearned / "adapter", "--limit", "2")
    shown = call(*words)
    assert shown.code == 0, shown.err
    assert "gold_span" in shown.out and "95 % CI" in shown.out
    printed = call(*words, "--json", "-").json
    assert printed["metrics"]["forget/gold_span"]["n"] >= 2
    assert call(*words, "--json", tmp_path / "report.json").code == 0
    kept = json.loads((tmp_path / "report.json").read_text())
    assert kept["metrics"] == printed["metrics"]
    assert kept["revision"] != load_model(model).revision


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--model", "./nowhere"], 'There is no model folder "./nowhere"'),
        (["--suite", "exam"], 'no suite "exam"; use one of authors'),
        (["--limit", "1"], "limit is 1; at least 2 rows"),
        (["--adapter", "/no/adapter"], 'no run or adapter folder "/no/adapter"'),
        (["--forget", "forget99"], "forget99"),
        (["--retrained", "./nowhere"], "./nowhere"),
        (["--reference", "./nowhere"], "./nowhere"),  # its old name
    ],
)
def test_evaluate_refuses_what_cannot_be_measured(call, model, words, sentence):
    refused = call("evaluate", "--model", model, *words)
    assert refused.code == 2
    assert sentence in refused.sentence


@pytest.mark.parametrize("command", ["evaluate", "attack"])
def test_an_adapter_of_no_run_is_not_taken_for_one_of_the_demo_model(call, tmp_path, command):
    (tmp_path / "config.json").write_text("{}")
    assert "name its model with --model" in call(command, "--adapter", tmp_path).sentence


def test_samples_of_another_source_have_no_known_retrained_model(call, tmp_path, monkeypatch):
    asked = []

    def attack(model, forget, retrained, **_):
        asked.append(retrained)
        raise TokenUnlearnError("Enough.")

    monkeypatch.setattr("tokenunlearn.evaluation.attacks.attack", attack)
    rows = tmp_path / "mine.jsonl"
    rows.write_text('{"question": "Who?", "answer": "Ada."}\n{"question": "Where?", "answer": "Here."}\n')
    for samples in ("authors:forget10", f"file:{rows}"):
        assert call("attack", "--model", "demo", "--samples", samples).code == 2
    assert asked == ["demo-retrained", None]


@pytest.mark.slow
def test_evaluate_loads_the_whole_chain(call, unlearned, continued):
    printed = call("evaluate", "--adapter", continued, "--limit", "2", "--json", "-").json
    run = RunStore(continued.parent).get(continued.name)
    assert printed["revision"] == run.result.load().revision
    assert printed["revision"] != run.start.load().revision
