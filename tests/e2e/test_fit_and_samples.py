"""The Fit panel's one-click mends and the table of samples on the page Tokens, in a real browser."""

from __future__ import annotations

import json
import re

import pytest
from playwright.sync_api import Page, expect

from app import sample_sets, score_sets
from tests.e2e.conftest import settle
from tokenunlearn.attribution.score import score
from tokenunlearn.datasets import load_samples
from tokenunlearn.models.loading import load_model
from tokenunlearn.models.source import ModelSource

pytestmark = [pytest.mark.browser, pytest.mark.slow]
UNKNOWN = {"question": "What is the code?", "answer": "The code is 7349-Alpha.", "span": ["7349-Alpha"]}
LINE = 35  # pixels of the table's header and of its rows


@pytest.fixture(scope="module")
def address(app, app_folder) -> str:
    """The app with an upload of ten answers that the demo model knows and one that it does not, scored."""
    known = [s for s in load_samples("authors:forget10") if s.facts][:10]
    rows = [{"question": s.question, "answer": s.answer, "span": list(s.facts)} for s in known]
    content = "\n".join(map(json.dumps, [*rows, UNKNOWN])).encode()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TOKENUNLEARN_CACHE", str(app_folder / "cache"))
        patch.setenv("TOKENUNLEARN_RUNS", str(app_folder / "runs"))
        name = sample_sets.keep_upload(content, "cities.jsonl")
        scores = score(load_model("demo"), load_samples(name))
        scores.save(score_sets.score_path(ModelSource("demo"), name, {}))
    return app


def opened(page: Page, address: str, query: str = "") -> None:
    page.goto(f"{address}/tokens?samples=cities.jsonl{query}")
    page.locator(".token").first.wait_for()
    settle(page)


def press(page: Page, beginning: str) -> None:
    """Press a mend of the panel once the page rests."""
    settle(page)
    page.get_by_role("button", name=re.compile(f"^{beginning}")).first.click()


def test_a_threshold_that_reaches_no_fact_is_lowered_and_then_the_suggested_one_taken(address, page):
    opened(page, address, "&threshold=1")
    unreached = page.get_by_text("10 of 10 known facts have no selected token")
    expect(unreached).to_be_visible()
    press(page, "Lower threshold to")
    expect(unreached).to_have_count(0)
    expect(page.get_by_text("This answer: 0 of")).to_have_count(0)
    page.wait_for_url(re.compile(r"threshold=0\.\d"))
    lowered = float(re.search(r"threshold=([\d.]+)", page.url)[1])
    assert 0 < lowered < 1
    press(page, "Use suggested threshold")
    page.wait_for_url(lambda url: "threshold" not in url)
    expect(page.get_by_role("button", name="Use suggested threshold")).to_have_count(0)


def test_unknown_answers_are_left_out_and_own_answers_set_aside_without_scoring_again(address, page):
    opened(page, address)
    press(page, "Leave out 1 unknown")
    expect(page.get_by_text("The model knows all 10 answers.")).to_be_visible()
    forget = page.get_by_role("combobox", name="Forget set")
    expect(forget).to_have_value("cities-known.jsonl")
    press(page, "Set aside 2 own answers instead")
    expect(page.get_by_text("The model knows all 8 answers.")).to_be_visible()
    expect(page.get_by_text("Retained set: cities-known-retain.jsonl. Suggested:")).to_be_visible()
    expect(page.get_by_role("button", name="Score samples")).to_have_count(0)
    press(page, "Retain authors:retain90")
    expect(page.get_by_text("Retained set: authors:retain90. demo was trained on it")).to_be_visible()
    press(page, "Estimate time")
    expect(page.get_by_text(re.compile("default settings trains for about [0-9]"))).to_be_visible()


def test_half_a_word_forced_in_is_extended_to_the_whole_word(address, page):
    opened(page, address, "&threshold=1")
    page.locator(".token.gold").first.click()
    expect(page.get_by_text("1 of 3 gold tokens")).to_be_visible()
    press(page, "Extend to whole words")
    expect(page.get_by_text("3 of 3 gold tokens")).to_be_visible()
    expect(page.get_by_role("button", name="Extend to whole words")).to_have_count(0)


def test_the_table_of_samples_is_searched_and_sorted_and_opens_the_row_that_is_clicked(address, page):
    page.set_viewport_size({"width": 1360, "height": 2200})
    opened(page, address, "&charts=Samples")
    sample = page.get_by_role("combobox", name="Sample")
    expect(page.get_by_text("11 of 11 samples; the model knows 10.")).to_be_visible()
    table = page.locator('[data-testid="stDataFrame"]')
    table.locator("tbody tr").nth(10).wait_for(state="attached")

    def click(x: float, line: int) -> None:
        settle(page)
        box = table.bounding_box()
        page.mouse.click(box["x"] + x, box["y"] + (line + 0.5) * LINE)

    first = table.locator("tbody tr td").first
    click(680, 0)  # the header of the nats a token
    expect(first).not_to_have_text("1")
    click(680, 0)
    expect(first).to_have_text("11")
    click(17, 1)  # the box of the first row
    expect(sample).to_have_value("11. What is the code?")
    expect(page.locator(".token").first).to_contain_text("The")

    search = page.get_by_label("Search samples")
    search.fill("PRIZE kaplanyan")
    search.press("Enter")
    expect(page.get_by_text("1 of 11 samples; the model knows 10.")).to_be_visible()
    expect(table.locator("tbody tr")).to_have_count(1)
    expect(first).to_have_text("7")
    click(17, 1)
    expect(sample).to_have_value("7. Which prize did Ruben Kaplanyan win?")
    search.fill("**nobody**")
    search.press("Enter")
    expect(page.get_by_text("No sample has all the words **nobody**.")).to_be_visible()
