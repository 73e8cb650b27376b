"""Model, samples and runs that the commands work on."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.commands.small_cli import QUICK, ROWS, unlearning


@pytest.fixture(autouse=True)
def short(short_answers):
    """Answers are cut short."""


@pytest.fixture(scope="module")
def model(tiny_folder):
    return str(tiny_folder)


@pytest.fixture
def samples(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    return f"file:{path}"


@pytest.fixture
def unlearned(call, model, samples, tmp_path):
    """A completed run; its folder."""
    words = (*unlearning(model, samples), *QUICK, "--threshold", "0.3")
    done = call(*words, "--out", tmp_path / "runs", "--json")
    assert done.code == 0, done.err
    return Path(done.json["folder"])


@pytest.fixture
def continued(call, unlearned, samples):
    """A run that goes on from ``unlearned``; its folder."""
    words = ("unlearn", "--adapter", unlearned.name, "--samples", samples, "--regularizer", "none")
    done = call(*words, *QUICK, "--threshold", "0.3", "--out", unlearned.parent, "--json")
    assert done.code == 0, done.err
    return Path(done.json["folder"])
