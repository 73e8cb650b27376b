"""The result file of a benchmark belongs to one process at a time."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from benchmarks import stored_result, write_result

ROOT = Path(__file__).resolve().parents[2]


def test_a_benchmark_started_twice_at_once_does_not_drop_the_other_ones_rows(tmp_path):
    path = tmp_path / "results" / "snr.json"
    assert stored_result(path) is None
    write_result(path, {"models": {}})
    assert stored_result(path) == {"models": {}}
    code = (
        f"from pathlib import Path; from benchmarks import stored_result; stored_result(Path({str(path)!r}))"
    )
    other = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert other.returncode == 1 and "Another process works on" in other.stderr
