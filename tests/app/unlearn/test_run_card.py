"""The card of the page Unlearn: what a run takes, Start, a second start, and what a run waits for."""

from __future__ import annotations

import re
import threading
from dataclasses import replace

import pytest

from app import sample_sets, services, tasks
from app.markdown import plain
from tests.app.app_pages import shown
from tests.app.unlearn.form import buttons, press, runs, wait_for_all, wait_for_checks
from tests.stored_run import HOSTILE
from tests.waiting import wait_until
from tokenunlearn.models.loaded_model import LoadedModel
from tokenunlearn.runs.cost import duration_text


def card(at) -> str:
    """The tiles as they are sent, without hover texts."""
    (html,) = [e.proto.body for e in at.get("html") if 'class="rc"' in e.proto.body]
    return re.sub(r' title="[^"]*"', "", html)


def test_memory_and_time_of_a_run_are_shown_before_it_starts(open_page, scored):
    at = open_page("unlearn", **scored)
    assert card(at).count("not measured yet") == 2
    wait_for_checks(at)
    assert re.search(
        r"<b>about \d+ s</b><small>of training: 2 <span>steps</span> of <span>altnpo</span>", card(at)
    )
    assert re.search(r"<b>[\d,]+ MB</b><small>of <span>memory</span>", card(at))
    at.toggle(key="controls").set_value(True).run()
    assert "<b>about" in card(at)
    assert "4 runs, one after another" in shown(at)


@pytest.mark.slow
def test_the_card_is_called_recommended_until_a_setting_is_changed(open_page):
    at = open_page("unlearn")
    assert at.subheader[0].value == "Recommended run"
    at.text_input(key="steps").set_value("3").run()
    assert at.subheader[0].value == "Custom run"
    assert "3 <span>steps</span>" in card(at)


def test_the_card_says_how_far_the_runs_forget(open_page):
    assert "selected, to the <span>level</span> of authors:holdout<" in card(open_page("unlearn"))
    assert "selected<" in card(open_page("unlearn", holdout="none"))
    assert "selected, to 2.5 <span>nats</span> or 3 <span>nats</span>" in card(
        open_page("unlearn", level="2.5, 3")
    )


def test_the_card_says_when_nothing_is_retained_or_evaluated(open_page):
    text = card(open_page("unlearn", regularizer="none", evaluate="no"))
    assert "<b>nothing</b>" in text and "no evaluation" in text


@pytest.mark.slow
def test_a_weighting_of_its_own_takes_the_place_of_the_selected_tokens(open_page):
    text = card(open_page("unlearn", weighting="wga"))
    assert "made in each step" in text and "selected" not in text


def test_names_on_the_card_are_no_markup(open_page, scored, monkeypatch):
    monkeypatch.setattr(sample_sets, "set_name", lambda name: HOSTILE)
    monkeypatch.setattr("app.unlearn.run_card.sample_sets.set_name", lambda name: HOSTILE)
    assert "<script" not in card(open_page("unlearn", **scored | {"samples": HOSTILE, "retain": HOSTILE}))


@pytest.mark.slow
def test_scores_of_a_prompt_that_has_changed_are_to_be_made_again(open_page, scored, monkeypatch):
    encode_all = LoadedModel.encode_all

    def tomorrow(lm, samples):
        return [replace(e, texts=("2026", *e.texts[1:])) for e in encode_all(lm, samples)]

    monkeypatch.setattr(LoadedModel, "encode_all", tomorrow)
    at = open_page("unlearn", **scored)
    wait_for_checks(at)
    assert [info.value for info in at.info] == [
        "These samples are not scored yet for this model and these settings."
    ]
    assert not [button for button in at.button if button.label == "Start"]


def test_the_same_run_is_started_a_second_time_only_after_asking(open_page, scored):
    at = open_page("unlearn", **scored)
    press(at, "Start")
    wait_for_all()
    at.run()
    press(at, "Start")
    assert len(runs()) == 1
    assert "The same run already exists, completed" in shown(at)
    press(at, "Do not start")
    assert "The same run" not in shown(at)
    press(at, "Start")
    press(at, "Start it again")
    assert len(runs()) == 2
    assert "The same run" not in shown(at)
    wait_for_all()


@pytest.mark.slow
def test_another_run_is_not_asked_about(open_page, scored):
    at = open_page("unlearn", **scored)
    press(at, "Start")
    at.text_input(key="seed").set_value("1")
    press(at, "Start")
    assert len(runs()) == 2
    wait_for_all()


@pytest.mark.slow
def test_a_run_that_failed_is_started_again_without_asking(open_page, scored):
    at = open_page("unlearn", **scored)
    press(at, "Start")
    wait_for_all()
    tasks.worker().ask(lambda: None).result(60)  # it has compared the stored state with how the run ended
    runs()[0].set_state(status="failed")
    at.run()
    press(at, "Start")
    assert len(runs()) == 2
    wait_for_all()


@pytest.mark.slow
def test_a_run_that_begins_loads_its_model_and_waits_for_none(open_page, scored, monkeypatch):
    at = open_page("unlearn", **scored | {"steps": "9000"})
    press(at, "Start")
    (run,) = runs()
    wait_until(lambda: run.metrics)
    monkeypatch.setattr(type(run), "_stored_state", lambda run: services.RunState("queued"))
    at.run()
    assert "Starting: loading the model" in shown(at)
    assert "aiting for" not in shown(at)
    monkeypatch.undo()


@pytest.mark.slow
def test_a_run_that_waits_says_for_what_and_in_which_place(open_page, scored):
    at = open_page("unlearn", **scored | {"steps": "9000", "seed": "0, 1, 2", "label": "mine"})
    press(at, "Start 3 runs")
    wait_until(lambda: any(run.metrics for run in runs()))
    at.run()
    assert re.search(r"2 runs queued, waiting for: mine: seed 0, step \d", shown(at))
    assert re.search(r"1\. mine: seed 1 .*\n(.*\n)*.*2\. mine: seed 2 ", shown(at))
    assert len([label for label in buttons(at) if label == "Cancel"]) == 2
    at.button(key="cancel-all").click().run()
    wait_for_all()


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.4, "0 s"), (89, "89 s"), (90, "2 min"), (824, "14 min"), (5400, "1.5 h")]
)
def test_what_takes_longer_than_90_seconds_is_in_minutes(seconds, text):
    assert duration_text(seconds) == text


def test_a_run_that_begins_after_a_short_task_names_it_and_can_be_cancelled(open_page, scored):
    gate = threading.Event()
    tasks.worker().ask(lambda: gate.wait(30), lambda: "Scoring *rows*: 3 of 9")
    at = open_page("unlearn", **scored)
    press(at, "Start")
    assert f"Starts after: {plain('Scoring *rows*: 3 of 9')}" in shown(at)
    press(at, "Cancel")
    gate.set()
    wait_for_all()
    assert runs()[0].state.status == "cancelled"
