"""Links that name what is not there: the page says so once, and shows something else."""

from __future__ import annotations

import pytest

from app import sample_sets
from tests.app.app_pages import shown, visit
from tests.app.test_sample_sets import ROW


def ignored(at) -> list[str]:
    return [text.value for text in at.text if "was ignored" in text.value]


@pytest.mark.parametrize(
    ("page", "name"),
    [
        ("tokens", "samples"),
        ("tokens", "adapter"),
        ("tokens", "mask"),
        ("tokens", "sample"),
        ("unlearn", "samples"),
        ("unlearn", "retain"),
        ("unlearn", "holdout"),
        ("unlearn", "objective"),
        ("unlearn", "train"),
        ("data", "set"),
    ],
)
def test_what_a_link_names_and_is_not_there_is_said_once(home, page, name):
    at = visit(page, **{name: "nosuch.jsonl"})
    assert ignored(at) == [f'⚠ The setting {name} "nosuch.jsonl" was ignored; it is not one of the choices.']
    assert ignored(at.run()) == []


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
