"""The view Outcome: which other runs are drawn next to the chosen ones."""

from __future__ import annotations

import json

from app.compare import compare_charts, comparison, outcome_view, run_index
from tests.stored_run import write_run
from tokenunlearn.runs.store import RunStore


def test_only_runs_on_the_same_forget_set_are_drawn_next_to_the_chosen_one(tmp_path):
    chosen = write_run(tmp_path, "20260101-100000-npo-hard-0001", "chosen")
    write_run(tmp_path, "20260102-100000-npo-hard-0002", "same set")
    write_run(tmp_path, "20260103-100000-npo-hard-0003", "another set", samples="authors:forget05")
    entries = run_index.entries(RunStore(tmp_path).runs())
    columns = comparison.contenders([entry for entry in entries if entry.id == chosen.id])
    (_, _, figure), *_ = outcome_view.figures(columns, entries, {"A": chosen.report})
    drawn = figure.to_json()
    assert "same set" in drawn and "another set" not in drawn


def test_the_caption_says_nothing_of_a_pareto_line_or_other_runs_that_are_not_drawn(tmp_path):
    chosen = write_run(tmp_path, "20260101-100000-npo-hard-0001", "chosen")
    entries = run_index.entries(RunStore(tmp_path).runs())
    columns = comparison.contenders(entries)
    (_, alone, figure), *_ = outcome_view.figures(columns, entries, {"A": chosen.report})
    assert "Pareto" not in figure.to_json()
    assert "Pareto" not in alone and "Small markers" not in alone


def test_the_caption_names_the_pareto_line_and_the_other_runs_that_are_drawn(tmp_path):
    write_run(tmp_path, "20260101-100000-npo-hard-0001", "chosen")
    other = write_run(tmp_path, "20260102-100000-npo-hard-0002", "other")
    report = json.loads((other.folder / "report.json").read_text())
    for name in ("forget/gold_span", "model_utility"):
        report["metrics"][name]["value"] += 0.2
    (other.folder / "report.json").write_text(json.dumps(report))
    entries = run_index.entries(RunStore(tmp_path).runs())
    (chosen,) = (entry for entry in entries if entry.label == "chosen")
    columns = comparison.contenders([chosen])
    (_, caption, figure), *_ = outcome_view.figures(columns, entries, {"A": chosen.run.report})
    assert compare_charts.FRONT in figure.to_json()
    assert "The dotted line is the Pareto front" in caption and "Small markers are other runs" in caption
