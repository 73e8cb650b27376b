"""Runs grouped by a setting: which settings are offered, the order of values, means and ranges."""

from __future__ import annotations

import pytest

from app.compare.run_groups import group_chart, group_rows, grouped
from app.compare.run_index import entries
from tests.stored_run import HOSTILE, write_run
from tokenunlearn.runs.store import RunStore


@pytest.fixture
def store(tmp_path):
    for i, (steps, told) in enumerate(((10, 0.0), (10, 1.0), (5, 0.5)), start=1):
        write_run(tmp_path, f"2026010{i}-100000-npo-hard-000{i}", f"{HOSTILE} {i}", steps=steps, told=told)
    return RunStore(tmp_path)


def test_only_settings_that_differ_are_offered_with_numbers_by_size(store):
    settings = grouped(entries(store.runs()))
    assert list(settings) == ["steps"]
    assert [(group.value, len(group.entries)) for group in settings["steps"]] == [("5", 1), ("10", 2)]


def test_runs_without_an_evaluation_are_left_out(store):
    for run in store.runs()[1:]:
        (run.folder / "report.json").unlink()
    assert grouped(entries(store.runs())) == {}


def test_rows_have_mean_range_and_questions(store):
    groups = grouped(entries(store.runs()))["steps"]
    assert group_rows("steps", groups) == [
        {"steps": "5", "runs": 1, "questions": "2", "facts still recalled": "0.250", "utility": "0.550"},
        {
            "steps": "10",
            "runs": 2,
            "questions": "2",
            "facts still recalled": "0.250 (0.000 to 0.500)",
            "utility": "0.550 (0.500 to 0.600)",
        },
    ]


def test_the_chart_has_every_run_in_its_color_and_a_mean_and_labels_stay_text(store):
    figure = group_chart("steps", grouped(entries(store.runs()))["steps"])
    assert len(figure.data) == 4  # two groups, forgetting and utility
    runs = figure.data[1]
    assert list(runs.x) == [0.5, 0.0, 0.25] and runs.y == ("10",) * 3
    assert runs.marker.symbol == ("circle", "circle", "line-ns-open")
    assert "<script" not in "".join(runs.hovertext)
