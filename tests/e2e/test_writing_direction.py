"""Hebrew and Arabic in a real browser: answers are shown in their direction, whole or token by token."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from playwright.sync_api import Page, expect

from app.compare import answer_diff
from app.token_view import response_html
from tests.app.scores import sample, score_set

pytestmark = pytest.mark.browser
# "Miriam was born in New York." in Hebrew, the name in Latin letters.
TEXTS = ["מרים", " נולדה", " ב-", "New", " York", ".", "<|end|>"]


def left_to_right(page: Page, nodes: str) -> list[str]:
    """Texts of some elements on one line, from left to right."""
    found = page.locator(nodes).evaluate_all(
        "nodes => nodes.map((n) => [n.getBoundingClientRect().left, n.firstChild.textContent])"
    )
    return [text for _, text in sorted(found)]


@pytest.fixture
def draw(page, tmp_path) -> Callable[[str], Page]:
    """Draws HTML on an empty page."""

    def draw(html: str) -> Page:
        path = tmp_path / "page.html"
        path.write_text(f"<!doctype html><meta charset=utf-8><body>{html}", encoding="utf-8")
        page.goto(path.as_uri())
        return page

    return draw


def test_the_token_view_runs_from_right_to_left_with_the_answer(draw):
    scores = score_set([sample(np.arange(7), np.arange(7), texts=TEXTS)])
    page = draw(scores.show()._repr_html_())
    frame = page.frame_locator("iframe")
    tokens = frame.locator(".token")
    tokens.first.wait_for()
    boxes = [tokens.nth(t).bounding_box() for t in range(7)]
    assert len({round(box["y"] + box["height"]) for box in boxes[:6]}) == 1
    order = sorted(range(7), key=lambda t: boxes[t]["x"])
    assert order == [6, 5, 3, 4, 2, 1, 0], "all from right to left but the two words of the name"
    tokens.nth(0).focus()
    page.keyboard.press("ArrowLeft")
    assert tokens.nth(1).evaluate("node => node === node.getRootNode().activeElement")
    page.keyboard.press("ArrowRight")
    assert tokens.nth(0).evaluate("node => node === node.getRootNode().activeElement")


def test_a_response_without_controls_runs_from_right_to_left_too(draw):
    details = [{"importance": "0.5"}] * 7
    page = draw(response_html(TEXTS, np.zeros(7), [False] * 7, details))
    assert left_to_right(page, ".tok") == [" <|end|>", ".", "New", " York", " ב-", " נולדה", "מרים"]


def test_a_full_stop_stands_at_the_left_end_of_a_diff(draw):
    page = draw(answer_diff.diff_html("", "מרים נולדה."))
    edges = page.evaluate(
        """() => {
          const text = document.querySelector(".ad ins").firstChild;
          const left = (a, b) => {
            const range = document.createRange();
            range.setStart(text, a);
            range.setEnd(text, b);
            return range.getBoundingClientRect().left;
          };
          return [left(0, 1), left(text.length - 1, text.length)];
        }"""
    )
    assert edges[1] < edges[0]
    assert edges[0] > 600, "and the text at the right"


def test_a_question_on_a_page_is_shown_in_its_direction(page, app):
    page.goto(f"{app}/tokens")
    expect(page.get_by_test_id("stText").locator("*").first).to_have_css("unicode-bidi", "plaintext")
