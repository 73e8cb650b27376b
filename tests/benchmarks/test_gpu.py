"""Jobs for a GPU: one that takes too long is ended with all that it has started."""

import sys

import psutil
import pytest

from benchmarks import gpu

JOB = """#!/bin/sh
sleep 60 &
echo $! > "$0.child"
wait
"""


@pytest.mark.slow
def test_a_job_that_takes_too_long_leaves_nothing_at_work(tmp_path, monkeypatch):
    job = tmp_path / "job"
    job.write_text(JOB)
    job.chmod(0o755)
    monkeypatch.setattr(gpu, "LIMIT", 3)
    monkeypatch.setattr(sys, "executable", str(job))
    assert gpu.carried_out("steps", quick=True) == {"failed": "not done after 3 s"}
    assert not psutil.pid_exists(int((tmp_path / "job.child").read_text()))
