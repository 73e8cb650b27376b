"""The token view of a notebook in a real browser: in its frame, without a server, in both themes."""

from __future__ import annotations

import re

import numpy as np
import pytest
from playwright.sync_api import expect

import tokenunlearn as tu
from tests.app.scores import sample, score_set
from tests.e2e.test_live_token_view import SELECTED, TRAPS
from tokenunlearn.attribution.score_set import ScoreSet
from tokenunlearn.folders import ASSETS

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def scores() -> ScoreSet:
    return ScoreSet.load(ASSETS / "scores" / "demo-authors-forget10.parquet")


@pytest.fixture
def drawn(page, tmp_path):
    """Draws a view as a notebook does; its frame. Fails where the page says an error or asks for anything."""
    faults = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("request", lambda request: faults.append(request.url) if "file:" not in request.url else None)

    def draw(view):
        path = tmp_path / "cell.html"
        path.write_text(f"<!doctype html><meta charset=utf-8><body>{view._repr_html_()}", encoding="utf-8")
        page.goto(path.as_uri())
        frame = page.frame_locator("iframe")
        frame.locator(".token").first.wait_for()
        return frame

    yield draw
    assert [fault for fault in faults if not fault.startswith(("about:", "data:"))] == []


def weights_in(frame, scores):
    """What the line of Python below the text gives."""
    return eval(frame.locator(".code").inner_text(), {"scores": scores, "tu": tu})


def counted(frame) -> list[int]:
    """Tokens selected in this answer and in the set, as the view says."""
    return [
        int(n.replace(",", "")) for n in re.findall(r": ([\d,]+) of", frame.locator(".count").inner_text())
    ]


def test_sliders_clicks_and_steps_act_and_the_code_makes_the_same_weights(drawn, page, scores):
    frame = drawn(scores.show(sample=1))
    shown = frame.locator(SELECTED).count()
    assert counted(frame) == [shown, scores.weights().selected]
    assert weights_in(frame, scores).selected == scores.weights().selected
    slider = frame.get_by_role("slider", name="Threshold τ")
    slider.focus()
    for _ in range(8):
        page.keyboard.press("ArrowLeft")
    token = frame.locator('.token[aria-selected="false"]').first
    token.click()
    expect(frame.locator('.token[data-force="in"]')).to_have_count(1)
    frame.get_by_text("Importance settings").click()
    frame.get_by_label("Copy guard").uncheck()
    expect(frame.locator(".code")).to_contain_text("copy_guard=False")
    expect(frame.locator(".code")).to_contain_text(".with_override(")
    weights = weights_in(frame, scores)
    selected = int((np.asarray(weights.weights[1]) > 0).sum())
    assert counted(frame) == [selected, weights.selected]
    frame.get_by_role("button", name="Next sample").click()
    expect(frame.locator(".question")).to_have_text(scores.samples[2].question)
    expect(frame.get_by_label("Sample", exact=True)).to_have_value("2")
    assert weights_in(frame, scores).selected == counted(frame)[1] == weights.selected
    frame.get_by_label("Sample", exact=True).select_option("1")
    expect(frame.locator('.token[data-force="in"]')).to_have_count(1)
    frame.get_by_role("radio", name="soft").check()
    expect(frame.locator(".code")).to_contain_text("tu.SoftWeighting(temperature=")


def test_a_pinned_token_is_of_the_app_alone(drawn, page, scores):
    frame = drawn(scores.show())
    frame.locator(".token").nth(2).hover()
    expect(frame.locator(".tip")).to_contain_text("importance")
    expect(frame.locator(".tip")).not_to_contain_text("pins")
    frame.locator(".token").first.focus()
    page.keyboard.press("p")
    assert frame.locator(".token.pinned").count() == 0


def test_tokens_are_text_and_nothing_else(drawn, page):
    count = len(TRAPS)
    one = sample(np.arange(count), np.arange(count), texts=TRAPS, name="<b>$y$</b></script>")
    frame = drawn(score_set([one]).show())
    texts = frame.locator(".token").evaluate_all("nodes => nodes.map((n) => n.textContent)")
    assert texts == [*TRAPS[:-2], "∅", "<|end|>"]
    assert frame.locator(".token script, .token b").count() == 0
    assert page.evaluate("window.trapped") is None


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [400, 1360])
def test_nothing_is_wider_than_the_cell(drawn, page, scores, theme, width):
    page.set_viewport_size({"width": width, "height": 900})
    frame = drawn(scores.show(theme=theme))
    body = frame.locator("body")
    assert body.evaluate("node => node.scrollWidth <= node.clientWidth")
    ground = body.evaluate("node => getComputedStyle(node).backgroundColor")
    assert ground == {"light": "rgb(255, 255, 255)", "dark": "rgb(18, 22, 31)"}[theme]
