"""Interrupted and stopped runs are offered on the page Unlearn, and go on when someone says so."""

import pytest

from app import services
from app.unlearn import run_view
from tests.app.app_pages import shown
from tests.runs.new_runs import new_spec
from tests.stored_run import write_run
from tests.waiting import wait_until
from tokenunlearn.runs.locks import release


@pytest.fixture
def interrupted(home, model, samples):
    """Two runs that waited when the server stopped."""
    config = {"steps": 3, "regularizer": "none"}
    runs = [services.store().create(new_spec(samples, model=model, retain="", config=config)) for _ in "ab"]
    for run in runs:
        release(run.lock)
    return sorted(runs, key=lambda run: run.id)


@pytest.mark.slow
def test_interrupted_runs_are_offered_and_not_started_by_themselves(open_page, interrupted):
    text = shown(open_page("unlearn"))
    assert "1 interrupted" in text  # the other is the last run
    for run in interrupted:
        assert run.id in text
        assert run.state.status == "interrupted"


@pytest.mark.slow
def test_one_is_resumed_by_its_button(open_page, interrupted):
    at = open_page("unlearn")
    at.button(key=f"resume-{interrupted[0].id}").click().run()
    assert not at.exception
    wait_until(lambda: not interrupted[0].state.active)
    assert interrupted[0].state.status == "completed"
    assert interrupted[1].state.status == "interrupted"


@pytest.mark.slow
def test_no_click_is_lost_where_another_run_ends_while_the_page_is_drawn(
    open_page, interrupted, home, monkeypatch
):
    ended = write_run(home, "20990101-100000-npo-hard-0001", "the last run")
    at = open_page("unlearn")
    monkeypatch.setattr(run_view, "active_runs", lambda: [ended])
    at.button(key=f"resume-{interrupted[0].id}").click().run()
    assert not at.exception
    wait_until(lambda: not interrupted[0].state.active)
    assert interrupted[0].state.status == "completed"


@pytest.mark.slow
def test_all_are_resumed_at_once_the_oldest_first(open_page, interrupted, home):
    write_run(home, "20990101-100000-npo-hard-0001", "the last run")
    at = open_page("unlearn")
    assert "2 interrupted" in shown(at)
    at.button(key="resume-all").click().run()
    assert not at.exception
    wait_until(lambda: not any(run.state.active for run in interrupted))
    assert [run.state.status for run in interrupted] == ["completed", "completed"]
    assert interrupted[0].state.started <= interrupted[1].state.started


@pytest.mark.slow
def test_a_stopped_run_is_resumed_where_it_has_a_checkpoint(open_page, home):
    run = write_run(home, "20260102-100000-npo-hard-0002", "a run")
    run.set_state(status="stopped")
    assert "Resume" not in [button.label for button in open_page("unlearn").button]
    (run.checkpoints / "checkpoint-2").mkdir(parents=True)
    assert "Resume" in [button.label for button in open_page("unlearn").button]
