"""The view Outcome: which other runs are drawn next to the chosen ones."""

from __future__ import annotations

from app.compare import comparison, outcome_view, run_index
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
