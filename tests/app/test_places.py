"""Fields keep their place, and so the text being typed in them, when something above them comes or goes."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future

import pytest
from streamlit.testing.v1 import AppTest

from app import sample_sets, tasks
from tests.app.app_pages import PATIENCE, field_places, visit
from tests.stored_run import write_run
from tests.waiting import wait_until
from tokenunlearn.runs.locks import release
from tokenunlearn.runs.run import Run
from tokenunlearn.runs.state import RunState


@pytest.fixture
def running(home) -> Iterator[Run]:
    """A run that is being carried out; another one has ended."""
    write_run(home, "20260101-100000-npo-hard-0001", "ended")
    run = write_run(home, "20260102-100000-npo-hard-0002", "running")
    (run.folder / "adapter").rename(run.folder / "later")
    (run.folder / "report.json").unlink()
    run.take()
    run.set_state(status="running", phase="training", done=1, total=9)
    yield run
    end(run)


def end(run: Run) -> None:
    run.set_state(status="failed")
    release(run.lock)
    wait_until(lambda: not run.state.active)


@pytest.mark.parametrize(
    ("page", "field", "address"),
    [("unlearn", "label", {}), ("compare", "ask", {"view": "Ask"})],
)
def test_the_end_of_a_run_moves_no_field(running, page, field, address):
    at = visit(page, **address)
    assert any(button.label == "Stop" for button in at.button)
    before = field_places(at)
    end(running)
    at.run()
    assert not any(button.label == "Stop" for button in at.button)
    assert field_places(at)[field] == before[field]


def test_a_message_that_is_shown_once_moves_no_field_of_unlearn(home, monkeypatch):
    at = visit("unlearn", threshold="high")
    before = field_places(at)
    assert "The setting threshold" in " ".join(text.value for text in at.text)
    at.session_state["notice"] = "The run is queued behind 1 other run."
    lost = {Run(home / "lost"): RunState(status="failed", message="The disk is full.")}
    monkeypatch.setattr(tasks.worker(), "unstored", lambda: lost)
    at.run()
    said = " ".join(text.value for text in at.text)
    assert "queued behind" in said and "The disk is full." in said and "The setting threshold" not in said
    assert field_places(at) == before


def test_a_threshold_that_selects_nothing_moves_no_field_of_tokens(home):
    at = visit("tokens")
    before = field_places(at)
    at.session_state["token_settings"] = {"threshold": "1.0"}
    at.run()
    assert any(text.value.startswith("⚠ ") for text in at.text)
    assert field_places(at) == before


def test_a_set_just_saved_moves_no_field_of_data(home):
    at = visit("data", set="authors:forget05")
    before = field_places(at)
    at.session_state["saved"] = sample_sets.forget_sets("demo")[0]
    at.run()
    assert any(text.value.startswith("Saved as") for text in at.text)
    assert field_places(at) == before


def test_a_task_moves_no_field_below_its_progress(home):
    def page() -> None:
        import streamlit as st

        from app import background

        background.wait_for("key")
        with st.container():
            st.text_input("Field", key="field")

    at = AppTest.from_function(page, default_timeout=PATIENCE).run()
    before = field_places(at)
    task = tasks.known()["key"] = tasks.Task("key", "Looking", Future())
    assert "Looking: waiting" in str(at.run().get("html")[0].proto.body)
    assert field_places(at) == before
    task.future.set_exception(RuntimeError("no"))
    assert "Looking failed" in at.run().text[0].value
    assert field_places(at) == before
