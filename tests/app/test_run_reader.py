"""What runs and reports have stored is read once, and again when a file has changed."""

from __future__ import annotations

from app import run_reader
from tests.stored_run import write_run


def test_shipped_reports(home):
    assert run_reader.shipped_report("demo")["model"] == "demo"
    assert run_reader.shipped_report("../demo") is None
    assert run_reader.shipped_report("somewhere/else") is None


def test_a_file_is_read_again_when_it_has_changed_and_only_then(tmp_path):
    run = write_run(tmp_path, "20260101-100000-npo-hard-0001", "first", steps=3)
    records = run_reader.run_records(run)
    assert run_reader.run_records(run) is records
    path = run.folder / "metrics.jsonl"
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:1]))
    assert len(run_reader.run_records(run)) == 1 < len(records)
