"""The rail: five steps with their states and the one that comes next, on every page."""

from __future__ import annotations

import re
import runpy
from collections.abc import Callable
from concurrent.futures import Future

import pytest
from streamlit.runtime.scriptrunner import script_runner
from streamlit.testing.v1 import AppTest

from app import sample_sets, score_sets, services, tasks
from app.rail import Step, next_step
from tests.app.app_pages import PATIENCE, shown
from tests.launch import ROOT
from tests.stored_run import write_run
from tests.waiting import wait_until
from tokenunlearn.models.source import ModelSource
from tokenunlearn.runs.locks import release

PAGES = ("overview", "data", "tokens", "unlearn", "compare", "present", "system")
NAMES = {"data": "Data", "tokens": "Tokens", "unlearn": "Unlearn", "compare": "Compare", "present": "Present"}


@pytest.fixture
def enter(home, new_options, monkeypatch) -> Callable[..., AppTest]:
    """Opens a page by way of the door, which draws the rail; AppTest would run the page's file alone."""
    monkeypatch.setattr(script_runner, "_mpa_v1", runpy.run_path)

    def enter(page: str, /, **parameters: str) -> AppTest:
        at = AppTest.from_file(str(ROOT / "streamlit_app.py"), default_timeout=PATIENCE)
        for name, value in parameters.items():
            at.query_params[name] = value
        (at if page == "overview" else at.switch_page(f"pages/{page}.py")).run()
        assert not at.exception
        return at

    return enter


def links(at) -> list[str]:
    """Labels of the links of the page, the rail's first, as they are sent."""
    return [link.proto.label.replace("**", "") for link in at.main.get("page_link")]


def states(at) -> dict[str, str]:
    """Name -> state of every step on the page."""
    named = (re.fullmatch(r":\w+\[.*?\] (\w+) :small\[:gray\[(.*)\]\]", label) for label in links(at)[:5])
    return {match[1]: match[2] for match in named if match}


def goal(at) -> str:
    """What Next leads to, "" where there is no Next."""
    goals = [label for label in links(at) if label.startswith("Next ")]
    assert len(goals) <= 1
    return "".join(goals).removeprefix("Next :small[").removesuffix("]")


def way(**marks: str) -> list[Step]:
    """The five steps, done unless they are marked otherwise."""
    return [Step(page, name, marks.get(page, "done"), "") for page, name in NAMES.items()]


@pytest.mark.parametrize(
    ("page", "target"),
    [
        ("overview", "see the tokens"),
        ("data", "see the tokens"),
        ("tokens", "unlearn them"),
        ("unlearn", ""),
        ("compare", "present it"),
        ("present", "choose your data"),
        ("system", "see the tokens"),
    ],
)
@pytest.mark.slow
def test_every_page_has_the_five_steps_and_leads_a_newcomer_on(enter, page, target):
    at = enter(page)
    assert list(states(at)) == list(NAMES.values())
    assert goal(at) == target


def test_a_newcomer_sees_the_embedded_samples_scored_and_nothing_started(enter):
    assert states(enter("overview")) == {
        "Data": "72 samples",
        "Tokens": "scored",
        "Unlearn": "no run yet",
        "Compare": "example",
        "Present": "example",
    }


def test_samples_without_scores_are_to_be_scored_first(enter, model, samples):
    at = enter("tokens", model=model, samples=sample_sets.set_name(samples))
    assert states(at)["Tokens"] == "not scored"
    assert goal(at) == ""
    assert "Next: Score samples, below" in shown(at)


def test_a_set_opened_on_data_is_the_one_that_next_leads_to(enter, samples):
    at = enter("data", set=sample_sets.set_name(samples))
    assert (states(at)["Data"], states(at)["Tokens"]) == ("4 samples", "not scored")
    assert goal(at) == "see the tokens"
    at.switch_page("pages/tokens.py").run()
    assert at.selectbox(key="samples").value == samples
    assert states(at)["Data"] == "4 samples"


def test_a_table_with_unsaved_changes_is_to_be_saved_first(enter, samples):
    at = enter("data", set=sample_sets.set_name(samples))
    field = next(field for field in at.text_input if field.label.startswith("Or enter the fact"))
    field.input("The").run()
    next(button for button in at.button if button.label == "Mark fact").click().run()
    assert (states(at)["Data"], goal(at)) == ("not saved", "")
    assert "Next: Save, below" in shown(at)
    at.text_input(key="set_name").input("houses")
    next(button for button in at.button if button.label == "Save").click().run()
    assert (states(at)["Data"], goal(at)) == ("4 samples", "see the tokens")


def test_samples_being_scored_are_waited_for(enter, model, samples):
    key = score_sets.scoring_key(ModelSource(model), samples, {})
    task = tasks.known()[key] = tasks.Task(key, "Scoring", Future())
    try:
        at = enter("tokens", model=model, samples=sample_sets.set_name(samples))
        assert states(at)["Tokens"] == "scoring"
        assert goal(at) == ""
    finally:
        task.future.set_result(None)


@pytest.mark.slow
def test_a_run_leads_to_its_verdict_and_slides(enter, home):
    run = write_run(home, "20260101-100000-npo-hard-0001", "a run")
    run.set_state(status="completed")
    at = enter("unlearn")
    found = states(at)
    assert (found["Tokens"], found["Unlearn"], found["Present"]) == ("weights chosen", "completed", "ready")
    assert found["Compare"] not in ("example", "not evaluated")
    assert goal(at) == "compare the result"


def test_on_compare_the_way_is_that_of_the_chosen_run(enter, home):
    older = write_run(home, "20260101-100000-npo-hard-0001", "older")
    newer = write_run(home, "20260102-100000-npo-hard-0002", "newer")
    (newer.folder / "report.json").unlink()
    assert states(enter("compare", runs=newer.id))["Compare"] == "not evaluated"
    at = enter("compare", runs=older.id)
    assert (states(at)["Compare"], states(at)["Present"]) == ("undecided", "ready")
    (following,) = (link for link in at.main.get("page_link") if link.proto.label.startswith("**Next"))
    assert (following.proto.page, following.proto.query_string) == ("present", f"run={older.id}")
    assert states(enter("present", run=older.id))["Compare"] == "undecided"


def test_the_example_run_is_none_of_ones_own(enter, home):
    write_run(home, "20260101-100000-npo-hard-0001", "a run")
    (example,) = (run.id for run in services.shipped_store().runs())
    found = states(enter("compare", runs=example))
    assert (found["Unlearn"], found["Compare"], found["Present"]) == ("example", "example", "example")


def test_the_example_run_in_view_is_not_called_no_run(enter):
    assert states(enter("compare"))["Unlearn"] == "example"
    assert states(enter("present"))["Unlearn"] == "example"


def test_a_run_at_work_is_named_while_the_example_is_in_view(enter, home):
    run = write_run(home, "20260101-100000-npo-hard-0001", "a run")
    run.take()
    run.set_state(status="running", phase="training", done=1, total=9)
    (run.folder / "report.json").unlink()
    (example,) = (run.id for run in services.shipped_store().runs())
    try:
        assert states(enter("compare", runs=example))["Unlearn"] == "running"
    finally:
        run.set_state(status="stopped")
        release(run.lock)
        wait_until(lambda: not run.state.active)


@pytest.mark.parametrize("status", ["failed", "cancelled"])
@pytest.mark.slow
def test_a_run_without_a_result_is_to_be_started_again(enter, home, status):
    run = write_run(home, "20260101-100000-npo-hard-0001", "a run")
    (run.folder / "report.json").unlink()
    (run.folder / "adapter").rename(run.folder / "gone")
    run.set_state(status=status)
    at = enter("unlearn")
    assert states(at)["Unlearn"] == status
    assert states(at)["Compare"] == "example"
    assert goal(at) == ""


def test_a_run_in_progress_is_waited_for(enter, home):
    run = write_run(home, "20260101-100000-npo-hard-0001", "a run")
    run.take()
    run.set_state(status="running", phase="training", done=1, total=9)
    try:
        at = enter("unlearn")
        assert states(at)["Unlearn"] == "running"
        assert goal(at) == ""
    finally:
        run.set_state(status="stopped")
        release(run.lock)
        wait_until(lambda: not run.state.active)


@pytest.mark.parametrize("newest", ["queued", "cancelled"])
def test_a_run_in_progress_tells_more_than_a_newer_one(enter, home, newest):
    run = write_run(home, "20260101-100000-npo-hard-0001", "at work")
    later = write_run(home, "20260102-100000-npo-hard-0002", "later")
    for each, status in ((run, "running"), (later, newest)):
        each.take()
        each.set_state(status=status)
    try:
        assert states(enter("unlearn"))["Unlearn"] == "running"
        run.set_state(status="stopped")
        assert states(enter("unlearn"))["Unlearn"] == newest
    finally:
        for each in (run, later):
            each.set_state(status="stopped")
            release(each.lock)
        wait_until(lambda: not any(each.state.active for each in (run, later)))


def test_the_run_on_other_samples_is_none_of_these(enter, home):
    write_run(home, "20260101-100000-npo-hard-0001", "a run").set_state(status="completed")
    at = enter("unlearn", samples="authors:forget05")
    assert states(at)["Unlearn"] == "no run yet"


def test_damaged_runs_do_not_stop_the_rail(enter, home):
    run = write_run(home, "20260101-100000-npo-hard-0001", "a run")
    (run.folder / "spec.json").write_text("{")
    assert states(enter("overview"))["Unlearn"] == "no run yet"


@pytest.mark.parametrize("page", PAGES)
def test_a_visitor_of_the_demo_is_never_led_to_a_start(enter, monkeypatch, page):
    monkeypatch.setenv("TOKENUNLEARN_DEMO", "1")
    at = enter(page)
    assert goal(at) in ("see the tokens", "compare the result", "present it", "choose your data")
    assert "Start" not in [button.label for button in at.button]


def test_from_the_overview_the_first_open_step_comes_next():
    assert next_step("overview", way())[0] == "present"
    assert next_step("system", way(compare="fault"))[0] == "compare"
    assert next_step("overview", way(tokens="open", unlearn="open"))[0] == "tokens"


@pytest.mark.parametrize("page", ["tokens", "unlearn"])
def test_a_model_that_may_not_be_read_is_named_on_the_page_itself(enter, tmp_path, monkeypatch, page):
    monkeypatch.setenv("TOKENUNLEARN_ROOTS", str(ROOT))
    at = enter(page, model=str(tmp_path))
    assert states(at)["Tokens"] == "cannot be used"
    assert goal(at) == ""
    (sentence,) = [text.value for text in at.main.text if text.value.startswith("⚠")]
    assert "lies outside the folders" in sentence, "a narrow screen hides the sidebar"


@pytest.mark.parametrize("page", ["tokens", "unlearn"])
def test_template_variables_that_cannot_be_read_stop_the_page_instead_of_being_left_out(enter, page):
    at = enter(page, template="enable_thinking")
    assert (states(at)["Tokens"], goal(at)) == ("cannot be used", "")
    (sentence,) = [text.value for text in at.main.text if text.value.startswith("⚠")]
    assert "The field Chat template variables" in sentence
    assert not at.get("bidi_component") and not [b for b in at.button if b.label == "Start"]
