"""The whole path in a real browser: a run started, left, found again, and compared."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.conftest import settle
from tokenunlearn.runs.store import RunStore

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def test_a_run_outlives_its_visitor_and_is_compared(app: str, app_folder, browser, page: Page):
    page.goto(f"{app}/unlearn?advanced=true&evaluate=no")
    steps = page.get_by_label("Steps", exact=True)
    expect(steps).to_have_attribute("placeholder", "80")
    settle(page)
    steps.fill("6")
    steps.press("Tab")
    page.get_by_label("Label", exact=True).fill("<b>first</b> $x$")
    page.get_by_label("Label", exact=True).press("Tab")
    expect(page.get_by_text("6 steps of altnpo")).to_be_visible()
    settle(page)
    expect(steps).to_have_value("6")
    page.get_by_role("button", name="Start", exact=True).click()
    expect(page.get_by_text(re.compile(r"\d-altnpo-hard-")).first).to_be_visible(timeout=150_000)
    page.close()

    visitor = browser.new_context(viewport={"width": 1360, "height": 900})
    visitor.set_default_timeout(150_000)
    page = visitor.new_page()
    page.goto(f"{app}/unlearn?advanced=true")
    expect(page.get_by_text(re.compile("completed")).first).to_be_visible(timeout=300_000)
    expect(page.get_by_text("<b>first</b> $x$", exact=False).first).to_be_visible()

    (run,) = RunStore(app_folder / "runs").runs()
    assert run.state.status == "completed"
    assert len(run.metrics) == 6
    assert run.spec.label == "<b>first</b> $x$"

    page.goto(f"{app}/compare?view=Answers")
    row = run.generations["forget"][0]
    expect(page.get_by_text(row["question"], exact=True).first).to_be_visible(timeout=150_000)
    expect(page.get_by_text("◆ retrained").nth(1)).to_be_visible()
    expect(page.get_by_text("Traceback")).to_have_count(0)
    visitor.close()
