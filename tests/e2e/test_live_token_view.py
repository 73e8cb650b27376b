"""The token view in a real browser: what AppTest cannot click."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest
from playwright.sync_api import expect

from app import score_sets
from tests.app.scores import sample, score_set
from tests.e2e.conftest import settle
from tokenunlearn.models.source import ModelSource

pytestmark = pytest.mark.browser
SELECTED = '.token[aria-selected="true"]'
TRAPS = [
    *(
        "<script>window.trapped = 1</script>",
        " $x^2$",
        " **bold**",
        " :red[no]",
        " \u202egnol",
        "\u200b",
        "שלום",
    ),
    *("\n", "", "<|end|>"),
]


@pytest.fixture(scope="module")
def server(app, app_folder) -> str:
    """Address of the app, with one scored upload whose tokens are traps."""
    upload = app_folder / "runs" / "uploads" / "traps.jsonl"
    upload.parent.mkdir(parents=True)
    upload.write_text(json.dumps({"question": "Q?", "answer": "".join(TRAPS[:-1])}) + "\n", encoding="utf-8")
    count = len(TRAPS)
    scores = score_set([sample(np.arange(count), np.arange(count), texts=TRAPS, name="<b>$y$</b>")])
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TOKENUNLEARN_CACHE", str(app_folder / "cache"))
        scores.save(score_sets.score_path(ModelSource("demo"), f"file:{upload}", {}))
    return app


@pytest.fixture
def sent(page) -> list:
    """What the page has sent to the server since it was opened."""
    frames: list = []
    page.on("websocket", lambda ws: ws.on("framesent", lambda frame: frames.append(frame)))
    return frames


def open_tokens(page, server, query=""):
    """Open the page Tokens and wait until it rests."""
    page.goto(f"{server}/tokens?{query}")
    page.locator(".token").first.wait_for()
    page.get_by_test_id("stPlotlyChart").first.wait_for()
    settle(page)


def selected(page) -> int:
    """Number of tokens with a weight."""
    return page.locator(SELECTED).count()


def drawn(page) -> list[str]:
    """How every token is drawn."""
    return page.locator(".token").evaluate_all("nodes => nodes.map((n) => n.style.cssText + n.dataset.force)")


def test_the_threshold_acts_without_the_server_and_is_committed_on_release(page, server, sent):
    open_tokens(page, server)
    before, quiet = selected(page), len(sent)
    box = page.get_by_role("slider", name="Threshold τ").bounding_box()
    middle = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + box["width"] * 0.6, middle)
    page.mouse.down()
    counts = set()
    for step in range(60, 96, 2):
        page.mouse.move(box["x"] + box["width"] * step / 100, middle)
        page.wait_for_timeout(20)
        counts.add(selected(page))
    assert len(counts) > 2, "the text does not follow the slider"
    assert selected(page) < before
    assert len(sent) == quiet, "dragging reached the server"
    page.mouse.up()
    page.wait_for_url(re.compile(r"threshold=0\.9"))
    assert len(sent) > quiet
    shown = selected(page)
    page.reload()
    expect(page.locator(SELECTED)).to_have_count(shown)


def test_a_click_overrides_a_token_and_unlearn_has_the_override(page, server):
    open_tokens(page, server)
    token = page.locator(".token").nth(1)
    assert token.get_attribute("aria-selected") == "false"
    for force, weighted in (("in", "true"), ("out", "false"), ("", "false")):
        token.click()
        expect(token).to_have_attribute("data-force", force)
        expect(token).to_have_attribute("aria-selected", weighted)
    settle(page)
    caption = page.get_by_text(re.compile("^Score set [0-9a-f]{12}$"))
    without = caption.inner_text()
    token.click()
    page.locator(".token").nth(4).click(modifiers=["Shift"])
    page.wait_for_url(re.compile(r"overrides=0\.i1-4"))
    expect(caption).not_to_have_text(without)  # the address is there before the page is drawn anew
    settle(page)
    expected = caption.inner_text().split()[-1]
    page.get_by_role("link", name="Next unlearn them").click()
    page.wait_for_url(re.compile("/unlearn"))
    page.get_by_text(re.compile("^hard.*4 overrides", re.DOTALL)).wait_for()
    expect(page.get_by_text(re.compile(f"score set {expected}"))).not_to_have_count(0)
    page.wait_for_url("**overrides=0.i1-4**")


def test_the_keyboard_moves_and_overrides(page, server):
    open_tokens(page, server)
    page.locator(".token").first.focus()
    page.keyboard.press("ArrowRight")
    expect(page.locator(".tip")).to_be_visible()
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile(r"overrides=0\.i1"))
    page.keyboard.press("Escape")
    expect(page.locator(".tip")).to_be_hidden()


def test_a_token_is_pinned_by_key_and_by_click_and_its_life_is_shown(page, server):
    open_tokens(page, server)
    page.locator(".token").nth(3).focus()
    page.keyboard.press("p")
    expect(page.locator(".token.pinned")).to_have_count(1)
    expect(page.locator(".token").nth(3)).to_have_class(re.compile("pinned"))
    expect(page.locator(".pv").first).to_be_visible()
    for model in ("demo", "demo-retrained"):
        expect(page.get_by_role("heading", name=model, exact=True).first).to_be_visible()
    page.locator(".token").nth(5).click(modifiers=["Alt"])
    expect(page.locator(".token").nth(5)).to_have_class(re.compile("pinned"))
    expect(page.locator(".token").nth(5)).to_have_attribute("data-force", "")
    assert page.locator(".token.pinned").count() == 1


def test_a_link_opens_the_same_view_in_a_fresh_context(page, server, browser):
    query = "weights=soft&temperature=0.25&alpha=0.7&tint=weight&overrides=0.o2&sample=authors-054-00"
    open_tokens(page, server, query)
    texts = drawn(page)
    other = browser.new_context(viewport={"width": 1360, "height": 1000}).new_page()
    other.set_default_timeout(150_000)
    open_tokens(other, server, page.url.partition("?")[2])
    again = drawn(other)
    other.context.close()
    assert again == texts
    assert len(set(again)) > 3


def test_tokens_are_text_and_nothing_else(page, server):
    open_tokens(page, server, "samples=traps.jsonl")
    tokens = page.locator(".token")
    shown = tokens.evaluate_all("nodes => nodes.map((n) => n.textContent)")
    assert shown == [*TRAPS[:-2], "∅", "<|end|>"]
    page.get_by_label("Show whitespace").check()
    expect(tokens.nth(6)).to_have_text("שלום")
    expect(tokens.nth(7)).to_contain_text("↵")
    shown = tokens.evaluate_all("nodes => nodes.map((n) => n.textContent)")
    assert shown[4:8] == ["␣\u2039U+202E\u203agnol", "\u2039U+200B\u203a", "שלום", "↵\n"]
    tokens.nth(0).hover()
    expect(page.locator(".tip")).to_contain_text("<script>window.trapped␣=␣1</script>")
    assert page.evaluate("window.trapped") is None
    assert page.locator(".token script, .token strong, .token .katex").count() == 0


def test_nothing_is_wider_than_a_narrow_screen(server, page):
    page.set_viewport_size({"width": 400, "height": 800})
    open_tokens(page, server)
    page.locator(".token").nth(6).hover()
    inside = page.evaluate(
        """() => {
          const roots = [...document.querySelectorAll("*")].map((e) => e.shadowRoot).filter(Boolean);
          const parts = roots.flatMap((root) => [...root.querySelectorAll(".text, .panel, .tip, .bar")]);
          const boxes = parts.map((e) => e.getBoundingClientRect());
          return boxes.length > 3 && boxes.every((box) => box.left >= 0 && box.right <= 400);
        }"""
    )
    assert inside
