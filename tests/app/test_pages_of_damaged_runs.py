"""Every page with damaged runs beside sound ones: it opens, shows the sound ones, and says what is wrong."""

from __future__ import annotations

import json

import pytest

from tests.app.app_pages import ended_task, shown
from tests.stored_run import write_run

IDS = [f"2026010{i}-100000-npo-hard-000{i}" for i in range(1, 8)]


@pytest.fixture
def damaged(home):
    """A sound run, then six that are damaged in their own ways."""
    runs = [write_run(home, run_id, f"run {run_id[-1]}") for run_id in IDS]
    state = json.loads((runs[1].folder / "state.json").read_text())
    (runs[1].folder / "state.json").write_text(json.dumps(state | {"done": None}))
    (runs[2].folder / "spec.json").write_bytes(b'{"id": ')
    (runs[3].folder / "label.txt").write_bytes(b"\xff\xfe")
    (runs[4].folder / "metrics.jsonl").write_bytes(
        b"\0\0\0\n\n" + b'{"step": 1.0, "forget_nll": 2.0}\n{"st\n'
    )
    (runs[5].folder / "report.json").write_text("5")
    spec = json.loads((runs[6].folder / "spec.json").read_text())
    spec["config"] |= {"weighting": "of a newer version", "objective": "newer"}
    (runs[6].folder / "spec.json").write_text(json.dumps(spec))
    return runs


@pytest.mark.parametrize("page", ["overview", "tokens", "unlearn", "compare", "present", "data"])
@pytest.mark.slow
def test_every_page_opens_beside_damaged_runs(damaged, open_page, page):
    text = shown(open_page(page, **({"view": "Runs"} if page == "compare" else {})))
    if page in ("overview", "compare"):
        assert "run 1" in text and "of a newer version" in text
    if page in ("overview", "compare", "unlearn"):
        assert '"done" in state.json must be a whole number' in text
        assert "spec.json is not valid JSON" in text


@pytest.mark.parametrize("view", ["Answers", "Outcome", "Questions", "Tokens", "Settings"])
@pytest.mark.slow
def test_runs_with_damaged_files_are_compared_and_say_so(damaged, open_page, monkeypatch, view):
    monkeypatch.setattr("app.model_work.ask_models", lambda *_: ended_task())
    text = shown(open_page("compare", view=view, runs=[IDS[i] for i in (0, 3, 4, 5, 6)]))
    for sentence in ("label.txt is not UTF-8", "metrics.jsonl has 2 damaged lines", "report.json must be"):
        assert sentence in text


@pytest.mark.slow
def test_a_damaged_run_is_deleted_on_the_page(damaged, open_page):
    at = open_page("unlearn")
    at.button(key=f"discard-{IDS[1]}").click().run()
    at.button(key=f"remove-{IDS[1]}").click().run()
    assert not at.exception
    assert not damaged[1].folder.exists() and damaged[2].folder.exists()
