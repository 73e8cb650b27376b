"""Benchmarks that go on with stored runs refuse to mix them with others, or to drop them."""

import json

import pytest

from benchmarks import frame, tofu
from tokenunlearn.errors import TokenUnlearnError


def test_another_limit_drops_no_stored_runs(tmp_path, monkeypatch):
    path = tmp_path / "frame.json"
    path.write_text(json.dumps({"limit": None, "runs": [{"suite": "authors", "variant": "npo", "seed": 0}]}))
    before = path.read_bytes()
    monkeypatch.setattr(frame, "RESULTS", tmp_path)
    monkeypatch.setattr(frame, "run", lambda *_: pytest.fail("ran"))
    with pytest.raises(TokenUnlearnError, match="holds runs of limit None; give the same"):
        frame.main("authors", "0", "default", limit=4)
    assert path.read_bytes() == before


def test_other_steps_drop_no_stored_runs(tmp_path, monkeypatch):
    path = tmp_path / "tofu.json"
    basis = {"model": tofu.WORLD.model, "limit": 40, "steps": None, "metrics": list(tofu.METRICS)}
    path.write_text(json.dumps(basis | {"runs": [{"variant": "default", "seed": 0}]}))
    before = path.read_bytes()
    monkeypatch.setattr(tofu, "PATH", path)
    monkeypatch.setattr(tofu, "evaluate", lambda *_: pytest.fail("ran"))
    with pytest.raises(TokenUnlearnError, match="holds runs of steps None; give the same"):
        tofu.main("default", "0", limit=40, steps=5)
    assert path.read_bytes() == before
