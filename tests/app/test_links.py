"""Links that name what is not there: the page says so once, and shows something else."""

from __future__ import annotations

import pytest

from app import sample_sets
from tests.app.app_pages import shown, visit
from tests.app.test_sample_sets import ROW


def ignored(at) -> list[str]:
    return [text.value for text in at.text if "was ignored" in text.value]


@pytest.mark.parametrize(
    ("page", "name", "used"),
    [
        ("tokens", "samples", "authors:forget10"),
        ("tokens", "adapter", "the model as it is"),
        ("tokens", "mask", "prompt"),
        ("tokens", "sample", "1. In what town did the life of Ruben Kaplanyan begin?"),
        ("tokens", "charts", "This answer"),
        ("unlearn", "samples", "authors:forget10"),
        ("unlearn", "retain", "authors:retain90"),
        ("unlearn", "holdout", "the default"),
        ("unlearn", "objective", "the default"),
        ("unlearn", "train", "auto"),
        ("unlearn", "advanced", "off"),
        ("data", "set", "New set"),
        ("compare", "view", "Verdict"),
        ("compare", "image", "svg"),
    ],
)
def test_what_a_link_names_and_is_not_there_is_said_once_with_what_is_used(home, page, name, used):
    at = visit(page, **{name: "nosuch.jsonl"})
    (sentence,) = ignored(at)
    assert sentence.startswith(
        f'⚠ The setting {name} "nosuch.jsonl" was ignored; it is not one of the choices, so {used}'
    )
    assert sentence.endswith(" is used.")
    assert ignored(at.run()) == []


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [
        ("threshold", "abc", "it must be a number from 0 to 1, so 0."),
        ("temperature", "-1", "it must be a number from 0.01 to 10, so 0."),
    ],
)
def test_a_wrong_number_in_a_link_is_said_with_what_is_used(home, name, value, why):
    (sentence,) = ignored(visit("tokens", **{name: value}))
    assert sentence.startswith(f'⚠ The setting {name} "{value}" was ignored; {why}')


@pytest.mark.parametrize("slide", ["99", "nosuch"])
def test_a_wrong_slide_in_a_link_is_said(home, slide):
    texts = [text.value for text in visit("present", slide=slide).text]
    assert f'⚠ There is no slide "{slide}", so the first one is shown.' in texts


def test_what_a_page_opened_later_shows_is_not_taken_for_ignored(home):
    at = visit("tokens", view="Outcome")
    assert ignored(at.switch_page("pages/compare.py").run()) == []


def test_a_link_that_names_what_is_there_says_nothing(home):
    own = sample_sets.keep_upload(ROW, "rows.jsonl")
    name = sample_sets.set_name(own)
    at = visit("unlearn", retain=name, objective=["npo", "simnpo"], train="lora", evaluate="no")
    assert ignored(at) == [] and at.session_state["retain"] == own
    at = visit("tokens", samples=name)
    assert ignored(at) == [] and at.selectbox(key="samples").value == own
    first = visit("tokens").selectbox(key="sample").options[5]
    at = visit("tokens", sample=first, mask="prompt", adapter="the model as it is")
    assert ignored(at) == [] and first in shown(at)
    assert ignored(visit("data", set=name)) == []
    assert ignored(visit("compare", view="Outcome", image="png")) == []
    assert ignored(visit("unlearn", advanced="true")) == []


def test_a_link_to_a_set_still_opens_it_when_a_second_one_has_its_name(home):
    own = sample_sets.keep_upload(ROW, "rows.jsonl")
    link = sample_sets.set_name(own)
    sample_sets.keep_upload(ROW.replace(b"Wer?", b"Wo?"), "rows.jsonl")
    at = visit("tokens", samples=link)
    assert at.selectbox(key="samples").value == own
    assert ignored(at) == []


def test_a_visitor_of_the_demo_is_told_that_a_model_is_not_on_offer(home, monkeypatch):
    monkeypatch.setenv("TOKENUNLEARN_DEMO", "1")
    assert "The setting model" in ignored(visit("tokens", model="owner/name"))[0]
