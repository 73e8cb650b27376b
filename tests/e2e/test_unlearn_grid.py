"""A grid of two tiny runs in a real browser: typed as a list, started, watched, found again by its link."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.conftest import settle
from tokenunlearn.runs.store import RunStore

pytestmark = pytest.mark.browser


def test_a_list_of_seeds_is_two_runs_that_go_one_after_the_other(app: str, app_folder, browser, page: Page):
    page.goto(f"{app}/unlearn?advanced=true&watch_every=1&evaluate=no&steps=3")
    seed = page.get_by_label("Seed", exact=True)
    settle(page)
    seed.fill("0, 1")
    seed.press("Tab")
    expect(page.get_by_text("The grid has 2 runs, carried out one after another.")).to_be_visible()
    page.wait_for_url(re.compile(r"seed=0(,|%2C)(\+|%20)1"))
    link = page.url
    settle(page)
    page.get_by_role("button", name="Start 2 runs").click()
    expect(page.get_by_text("1 run queued")).to_be_visible()
    expect(page.get_by_role("heading", name="Last run")).to_be_visible(timeout=300_000)
    store = RunStore(app_folder / "runs")
    active = page.get_by_role("button", name=re.compile("^(Stop|Cancel)"))
    expect(active).to_have_count(0, timeout=300_000)  # both have ended
    runs = store.runs()
    assert sorted(run.spec.label for run in runs) == ["seed 0", "seed 1"]
    assert [run.state.status for run in runs] == ["completed", "completed"]
    for run in runs:
        assert [record["step"] for record in run.watched] == [0, 1, 2, 3]
        assert run.watched[0]["gold_span"]["forget"]["value"] > 0.5  # the demo model knows its authors
    shown = runs[0].watched[0]["answers"][0]
    table = page.get_by_role("region", name="Watched answers").first
    expect(table.get_by_text(shown["question"], exact=True)).to_be_visible()
    expect(table.get_by_text(shown["answer"], exact=True).first).to_be_visible()

    visitor = browser.new_context(viewport={"width": 400, "height": 860})
    visitor.set_default_timeout(150_000)
    again = visitor.new_page()
    again.goto(link)
    expect(again.get_by_label("Seed", exact=True)).to_have_value("0, 1")
    expect(again.get_by_label("Steps", exact=True)).to_have_value("3")
    expect(again.get_by_text("The grid has 2 runs, carried out one after another.")).to_be_visible()
    settle(again)
    assert again.evaluate("document.documentElement.scrollWidth <= innerWidth")
    visitor.close()


def test_what_is_chosen_is_in_the_address_and_survives_another_page(app: str, page: Page):
    page.goto(f"{app}/unlearn?advanced=true")
    settle(page)
    page.get_by_text("Add control runs").click()
    page.wait_for_url(re.compile("controls=true"))
    expect(page.get_by_role("button", name="Start 4 runs")).to_be_visible()
    settle(page)
    rate = page.get_by_label("Learning rate", exact=True)
    rate.fill("5e-4, 1e-3")
    rate.press("Tab")
    page.wait_for_url(re.compile("learning_rate=5e-4"))
    expect(page.get_by_role("button", name="Start 8 runs")).to_be_visible()
    settle(page)
    page.get_by_role("link", name="Edit on the Tokens page").click()
    page.wait_for_url(re.compile("/tokens"))
    page.locator(".token").first.wait_for()
    settle(page)
    page.get_by_role("link", name="Next unlearn them").click()
    page.wait_for_url(re.compile(r"/unlearn.*learning_rate=5e-4"))
    expect(page.get_by_role("button", name="Start 8 runs")).to_be_visible()
