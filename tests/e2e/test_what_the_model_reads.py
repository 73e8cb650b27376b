"""The panel What the model reads, opened in a real browser and found open again at its address."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.conftest import settle

pytestmark = pytest.mark.browser


def test_the_panel_shows_tokens_and_findings_and_stays_open(app: str, page: Page):
    page.goto(f"{app}/unlearn?threshold=0.9")
    page.locator(".rc").wait_for()
    settle(page)
    page.get_by_text("What the model reads").click()
    tokens = page.locator(".mi.text")
    expect(tokens).to_be_visible(timeout=400_000)  # the server imports torch first
    question = "".join(tokens.locator(".question").all_text_contents())
    assert question.replace("␣", " ") == "In what town did the life of Ruben Kaplanyan begin?"
    expect(tokens.locator(".end")).to_have_text("<|end|>")
    expect(page.get_by_text(re.compile("All .* tokens equal"))).to_be_visible()
    expect(page.locator(".mi-findings .warning")).to_contain_text("have no selected token")
    expect(page.locator(".rc")).to_contain_text(re.compile(r"Takes ?about \d"))
    expect(page.get_by_role("button", name="Start")).to_be_enabled()
    page.reload()
    expect(tokens).to_be_visible()
    settle(page)
    page.get_by_text("What the model reads").click()
    expect(tokens).to_have_count(0)
    expect(page.locator(".mi-findings .warning")).to_have_count(1)
