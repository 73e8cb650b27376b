"""Runs and cache of the page Tokens."""

from __future__ import annotations

import pytest

from tests.app.app_pages import start_anew


@pytest.fixture(autouse=True)
def empty_store(tmp_path, monkeypatch):
    """Empty folders of runs and cache."""
    monkeypatch.setenv("TOKENUNLEARN_RUNS", str(tmp_path / "runs"))
    monkeypatch.setenv("TOKENUNLEARN_CACHE", str(tmp_path / "cache"))
    start_anew()
