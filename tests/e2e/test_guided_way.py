"""A newcomer in a real browser: from the first page to a verdict by Next and Start, in at most six clicks."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.conftest import settle

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def test_a_newcomer_reaches_a_verdict_in_at_most_six_clicks(app: str, page: Page):
    clicks = []

    def click(role: str, name: str) -> None:
        target = page.get_by_role(role, name=name)
        target.wait_for(timeout=300_000)
        settle(page)
        target.click()
        clicks.append(name)

    page.goto(app)
    click("link", "Next see the tokens")
    page.locator(".token").first.wait_for()
    click("link", "Next unlearn them")
    page.get_by_role("button", name="Start").wait_for()
    page.goto(f"{app}/unlearn?steps=4")
    click("button", "Start")
    expect(page.get_by_text(re.compile("^(Starting|Reference|Training)[:,]"))).to_be_visible()
    expect(page.get_by_text("Waiting for the runs before it")).to_have_count(0)
    click("link", "Next compare the result")
    expect(page.locator(".vd.heads .head")).to_be_visible()
    assert len(clicks) <= 6
    expect(page.get_by_role("link", name="Next present it")).to_be_visible()
    page.get_by_role("tab", name="Outcome").click()
    expect(page.get_by_role("heading", name="All metrics")).to_be_visible()
    expect(page.get_by_text("Traceback")).to_have_count(0)
