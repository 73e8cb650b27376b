"""What the verdict on a run reads as the report of its start model."""

from __future__ import annotations

import shutil

import pytest

from tests.stored_run import report, write_run
from tokenunlearn.runs.judgment import evidence_of, stored_report
from tokenunlearn.runs.run_files import START_REPORT


@pytest.fixture
def runs(tmp_path):
    """A run, and one that goes on from it."""
    first, later = (write_run(tmp_path, f"20260101-100000-npo-hard-000{i}", "", told=1.0) for i in (1, 2))
    later.write("spec.json", later.spec.to_json() | {"adapter": first.id})
    return first, later


def start_of(run):
    start = evidence_of(run)["start"]
    return start and start["forget/gold_span"].value


def test_a_run_starts_from_the_run_before_it_else_from_a_model_as_it_is(runs):
    first, later = runs
    assert start_of(later) == 0.5
    assert evidence_of(first)["start"] == stored_report("demo", "authors")
    first.write(START_REPORT, report([1.0, 1.0], 0.5, ""))
    assert start_of(first) == 1.0


def test_no_model_stands_in_for_a_run_before_that_was_not_evaluated(runs):
    first, later = runs
    (first.folder / "report.json").unlink()
    assert start_of(later) is None
    shutil.rmtree(first.folder)
    assert start_of(later) is None


def test_no_model_stands_in_for_a_foreign_adapter(runs, tmp_path):
    (tmp_path / "foreign").mkdir()
    _, later = runs
    later.write("spec.json", later.spec.to_json() | {"adapter": str(tmp_path / "foreign")})
    assert start_of(later) is None
