"""Runs that have not started, of rows in a file."""

from __future__ import annotations

from tokenunlearn.runs.spec import RunSpec

ROWS = [{"question": f"Who lives in house {i}?", "answer": f"The baker number {i} does."} for i in range(4)]


def new_spec(samples, **changes):
    config = {"objective": "npo", "steps": 3, "batch_size": 2, "retain_batch_size": 2} | changes.pop(
        "config", {}
    )
    values = {
        "model": "tiny",
        "samples": samples,
        "retain": samples.rpartition("/")[0] + "/rest.jsonl",
        "rule": {"selection": "hard", "threshold": 0.3},
        "config": config,
    }
    return RunSpec.new(**values | changes)
