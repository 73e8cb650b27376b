"""Which suite measures a run, and the start model whose report stands beside it."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from tokenunlearn.errors import TokenUnlearnError
from tokenunlearn.evaluation import Report, evaluate
from tokenunlearn.evaluation.report import stored_report
from tokenunlearn.evaluation.suites import suite as suites

CHECKPOINT = "tofu_Llama-3.2-1B-Instruct"


@pytest.mark.parametrize(
    ("samples", "start", "suite", "forget", "retrained"),
    [
        ("authors:forget05", "demo", "authors", "forget05", "demo-retrained"),
        ("tofu:forget05", CHECKPOINT + "_full", "tofu", "forget05", CHECKPOINT + "_retain95"),
        ("tofu:forget10", "gpt2", "tofu", "forget10", None),
        ("alchemy:forget", "demo", "alchemy", "", None),
        ("alchemy:forget", "demo-alchemy", "alchemy", "", "demo-alchemy-retrained"),
    ],
)
def test_a_run_is_measured_by_the_suite_of_its_forget_set(
    tiny_lm, monkeypatch, samples, start, suite, forget, retrained
):
    asked = []

    def evaluated(*words, **named):
        asked.append((words, named))
        return Report("", "", suite, {}, {})

    monkeypatch.setattr(suites, "evaluate", evaluated)
    notes = suites.evaluate_forgetting(tiny_lm, samples, start=start, limit=3).notes
    ((words, named),) = asked
    report = named.pop("start")
    assert [note.partition(",")[0] for note in notes] == ["No retained pairs"] * (report is None)
    assert words == (tiny_lm, suite, retrained)
    assert named == {"forget": forget, "retain": "", "limit": 3, "progress": None}
    stored = {("authors", "demo"), ("alchemy", "demo-alchemy")}
    assert (report and report.model) == (start if (suite, start) in stored else None)


def test_a_run_on_a_file_is_measured_on_the_file(tiny_lm, monkeypatch):
    asked = []

    def evaluated(*words, **named):
        asked.append((words, named))
        return Report("", "", "own", {}, {})

    monkeypatch.setattr(suites, "evaluate", evaluated)
    sets = {"retain": "file:rest.jsonl", "retrained": "twin"}
    suites.evaluate_forgetting(tiny_lm, "file:mine.jsonl", start="demo", limit=3, **sets)
    named = {"forget": "file:mine.jsonl", "retain": "file:rest.jsonl", "limit": 3, "progress": None}
    assert asked == [((tiny_lm, "own", "twin"), {"start": None, **named})]


@pytest.mark.slow
def test_the_start_models_rows_give_retained_pairs(tiny_lm, other_lm, towns_suite, tmp_path, monkeypatch):
    start = evaluate(tiny_lm, towns_suite)
    stored = start.save(tmp_path / "start.json")
    ones = Report.load(stored)
    rows = replace(ones["retain/gold_span"], rows=(1.0,) * 5)
    ones = replace(ones, metrics={**ones.metrics, "retain/gold_span": rows})
    report = evaluate(other_lm, towns_suite, start=ones)
    assert report["retain/retained_pairs"].value == np.mean([r == 1 for r in report["retain/gold_span"].rows])
    assert report.settings["broken_calibrated_on"] == "5 answers of the start model"
    by_path = evaluate(other_lm, towns_suite, start=stored)
    monkeypatch.setattr(suites, "load_model", lambda name, **placement: tiny_lm)
    by_name = evaluate(other_lm, towns_suite, start="tiny")
    assert by_path["retain/gained_pairs"].rows == by_name["retain/gained_pairs"].rows
    assert not {"retain/retained_pairs", "retain/gained_pairs"} & start.metrics.keys()


def test_a_start_report_of_another_suite_is_refused(tiny_lm, towns_suite):
    other = replace(evaluate(tiny_lm, towns_suite, limit=2), suite="villages")
    with pytest.raises(TokenUnlearnError, match="start model's report was created on villages"):
        evaluate(tiny_lm, towns_suite, start=other)


def test_a_run_after_another_starts_from_that_ones_report(tmp_path):
    assert stored_report("demo", "authors").model == "demo"
    assert stored_report("demo", "tofu") is None
    assert stored_report("demo", "authors", tmp_path) is None
    replace(stored_report("demo", "authors"), model="first").save(tmp_path / "report.json")
    assert stored_report("demo", "authors", tmp_path).model == "first"


def test_a_start_report_on_other_samples_of_ones_own_gives_no_pairs(tiny_lm, tmp_path):
    def own(answer):
        rows = [{"question": f"Where was Ada {i} born?", "answer": f"{answer} {i}."} for i in range(4)]
        path = tmp_path / f"{answer}.jsonl"
        path.write_text("\n".join(map(json.dumps, rows)))
        return f"file:{path}"

    before = evaluate(tiny_lm, "own", forget=own("Oslo"), retain=own("Graz"))
    other = evaluate(tiny_lm, "own", forget=own("Oslo"), retain=own("Turin"), start=before)
    assert not any("pairs" in name for name in other.metrics)
    assert other.settings["broken_calibrated_on"] == "4 true answers"
    assert other["forget/wrong"].n == 4  # both files number their rows alike


@pytest.mark.parametrize("name", ["twin", "x" * 300])
def test_only_a_preset_has_a_report_in_place_of_its_model(tiny_lm, tmp_path, name):
    """A report next to a folder of weights may be of weights that were there before."""
    folder = str(tmp_path / name)
    if name == "twin":
        stored_report("demo", "authors").save(f"{folder}.json")
    assert stored_report(folder, "authors") is None
    for suite in ("authors", "alchemy"):
        for role in ("start", "retrained"):
            with pytest.raises(TokenUnlearnError, match="model"):
                evaluate(tiny_lm, suite, limit=2, **{role: folder})
