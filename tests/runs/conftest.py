"""A store, and samples in files."""

from __future__ import annotations

import json

import pytest

from tests.runs.new_runs import ROWS
from tokenunlearn.runs.store import RunStore


@pytest.fixture
def store(tmp_path) -> RunStore:
    """A store without runs."""
    return RunStore(tmp_path / "runs")


@pytest.fixture
def samples(tmp_path) -> str:
    """Name of a forget set; retained samples lie beside it."""
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    rest = ({"question": f"What is {i}?", "answer": f"It is the number {i}."} for i in range(4))
    (tmp_path / "rest.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rest))
    return f"file:{path}"
