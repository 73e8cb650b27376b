"""What the page says of a selection: a sentence with its number each, nothing where nothing is amiss."""

from __future__ import annotations

from dataclasses import replace

import pytest

from app.tokens import token_notices
from tests.app.scores import sample, score_set
from tokenunlearn.attribution.selection_check import SelectionCheck
from tokenunlearn.attribution.selector import Selector

FINE = SelectionCheck(
    tokens=2000,
    selected=160,
    units=400,
    partial=(),
    reading="sharp",
    suggested="sharp",
    words=873,
    hesitant=0.141,
)
SCORES = score_set([sample([1, 2], [1, 2])])


def test_a_fitting_selection_needs_no_word():
    assert token_notices.partial(FINE) == []


def test_replaced_tokens_are_mentioned():
    assert token_notices.replaced(SCORES) == []
    (sentence,) = token_notices.replaced(replace(SCORES, masking={"operator": "token"}))
    assert "replaced by a mask id" in sentence


def test_words_selected_in_part_are_counted_and_named():
    check = replace(FINE, partial=(("a", "Ada Lee"),))
    assert token_notices.partial(check) == ["1 of 400 words and names is only partly selected: `Ada Lee`."]


@pytest.mark.parametrize(
    ("reading", "suggested", "words"),
    [
        (
            "sharp",
            "sharp",
            "sharp, because the model is uncertain at 14 % of the 873 words not in the question.",
        ),
        (
            "tail",
            "tail",
            "tail, because the entropies of the 873 words not in the question do not fall into two groups.",
        ),
        ("sharp", "tail", "sharp (set manually); tail fits better, because the entropies of the 873 words"),
        ("tail", "sharp", "tail (set manually); sharp fits better, because the model is uncertain"),
        ("plain", "sharp", "plain (set manually)."),
    ],
)
def test_the_reading_and_why_claims_no_more_than_the_entropies_show(reading, suggested, words):
    sentence = token_notices.origin(SCORES, replace(FINE, reading=reading, suggested=suggested))
    assert words in sentence and sentence.count(".") == 1


def test_a_learned_importance_names_what_it_was_learned_on():
    learned = replace(SCORES, selector=Selector("x", ("entropy",), (1.0,), 0.0, ("demo a:b (9)",)))
    assert token_notices.origin(learned, FINE) == (
        "Importance comes from a selector fitted on `demo a:b (9)`."
    )


def test_the_share_is_said_where_it_says_something():
    assert token_notices.share(FINE) == " 8 % of the 2,000 tokens are selected."
    assert token_notices.share(replace(FINE, selected=2000)) == ""
    assert token_notices.share(replace(FINE, selected=0)) == ""


@pytest.mark.parametrize("name", ["`:red[x]`", "$x$ and $y$", "<b>", "two\nlines", "", "`"])
def test_names_are_code_on_one_line(name):
    (sentence,) = token_notices.partial(replace(FINE, partial=(("a", name),)))
    code = sentence.removeprefix("1 of 400 words and names is only partly selected: ").removesuffix(".")
    assert code[0] == code[-1] == "`" and code.count("`") == 2 and "\n" not in code and len(code) > 2
