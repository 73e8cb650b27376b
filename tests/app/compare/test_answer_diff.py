"""Answers as HTML: what is marked, and that nothing in them is markup."""

from __future__ import annotations

import re

import pytest

from app.compare.answer_diff import STYLE, change_html, diff_html
from tests.stored_run import changes


def body(html: str) -> str:
    return html.removeprefix(STYLE)


def marked(html: str, tag: str) -> list[str]:
    return [text.strip() for text in re.findall(f"<{tag}>(.*?)</{tag}>", html)]


def test_words_that_came_and_went():
    html = diff_html("Born in Calverra, he left.", "Born in Lisbon, he stayed.")
    assert marked(html, "del") == ["Calverra,", "left."]
    assert marked(html, "ins") == ["Lisbon,", "stayed."]


def test_another_sentence_is_marked_as_a_whole():
    new = "The life of Ruben Kaplanyan began in the town of Delft."
    html = diff_html("Born in Orsovar, Ruben Kaplanyan left home early and spoke warmly of the place.", new)
    assert marked(html, "ins") == [new] and not marked(html, "del")
    assert marked(diff_html("Born in Orsovar.", ""), "del") == ["Born in Orsovar."]


def test_equal_answers_mark_nothing():
    assert "<ins>" not in diff_html("a b", "a b") and "<del>" not in diff_html("a b", "a b")
    assert "(empty)" in diff_html("", "")


def test_scripts_without_blanks_are_compared_word_by_word():
    html = diff_html("老舍是北京人", "老舍是上海人")
    assert "".join(marked(html, "del")) == "北京"
    assert "".join(marked(html, "ins")) == "上海"


@pytest.mark.parametrize("text", ["<script>alert(1)</script>", '"><img src=x onerror=y>', "a & b"])
def test_markup_stays_text(text):
    for html in (diff_html("", text), diff_html(text, ""), diff_html(text, text)):
        assert "<script" not in body(html) and "<img" not in body(html)
    (change, _) = changes(5.0)
    hostile = type(change)(**vars(change) | {"texts": (text,) * 5})
    assert "<script" not in body(change_html(hostile, 5.0)) and "<img" not in body(change_html(hostile, 5.0))


def test_tokens_are_tinted_by_loss_and_underlined_by_weight():
    html = body(change_html(changes(5.0)[0], 5.0))
    tints = [float(x) for x in re.findall(r"rgba\(217, 119, 6, ([0-9.]+)\)", html)]
    assert tints == [0, 0, pytest.approx(0.62), 0, 0]
    assert html.count("tok heavy") == 1


def test_nothing_lost_is_no_tint():
    assert "0.620" not in change_html(changes(0.0)[0], 0.0)
