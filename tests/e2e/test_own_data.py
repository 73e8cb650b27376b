"""A researcher's own file in a real browser: from the upload to a verdict on it and a report of it."""

from __future__ import annotations

import hashlib
import json
import re

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.conftest import settle
from tokenunlearn.datasets import load_samples
from tokenunlearn.runs.store import RunStore

NAME = "three-languages.jsonl"
QUESTION, ANSWER, FACTS = "question", "answer", "span"
GERMAN = {
    QUESTION: "Wo wohnt Jürgen Weiß?",
    ANSWER: "Jürgen Weiß wohnt in Groß Köris, nahe bei Groß Köris.",
    FACTS: ["Groß Köris"],
    "topic": "Orte",
}
JAPANESE = {
    QUESTION: "田中さんの住まいと仕事は何ですか。",
    ANSWER: "🗻田中さんは金沢市の時計職人です。",
    FACTS: ["金沢市", "時計職人"],
}
SPANS = {GERMAN[QUESTION]: ((21, 31),), JAPANESE[QUESTION]: ((6, 9), (10, 14))}
SUBJECT = f"demo forgets {NAME} and retains authors:retain90."

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def gold(page: Page) -> str:
    """The text of the gold tokens in view, bytes of a character put together."""
    return "".join(page.locator(".token.gold").all_inner_texts()).replace("·", "").strip()


def show_sample(page: Page, number: int) -> None:
    """Bring a sample into view."""
    page.get_by_role("combobox", name="Sample").click()
    page.get_by_role("option", name=re.compile(rf"^{number}\. ")).click()
    page.wait_for_url(f"**sample={number}.**")
    settle(page)


def visible(page: Page) -> str:
    """What a person can read on the page, commands aside."""
    return page.locator("[data-testid=stApp]").inner_text()


def test_own_data_in_three_languages_reach_a_verdict_and_a_report(app, app_folder, page, call, tmp_path):
    known = load_samples("authors:forget10")[:2]
    english = [{QUESTION: s.question, ANSWER: s.answer, FACTS: list(s.facts), "by": "Kim"} for s in known]
    path = tmp_path / NAME
    rows = [*english, GERMAN, JAPANESE]
    path.write_text("\n".join(json.dumps(row, ensure_ascii=False) for row in rows), encoding="utf-8")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()[:12]

    page.goto(f"{app}/tokens")
    page.locator(".token").first.wait_for()
    settle(page)
    page.get_by_text("Upload samples").click()
    page.locator("input[type=file]").first.set_input_files(path)
    expect(page.get_by_text("Ignored columns: by, topic.")).to_be_visible()
    expect(page.get_by_text('marked at its first place: "Groß Köris" (line 3).')).to_be_visible()
    settle(page)
    page.get_by_role("button", name="Score samples").click()
    fit = page.get_by_text("The model does not know 2 of 4 answers (sample 3, sample 4)")
    expect(fit).to_be_visible()
    settle(page)
    for number, row in ((1, english[0]), (3, GERMAN), (4, JAPANESE)):
        if number > 1:
            show_sample(page, number)
        expect(page.locator(".token").first).to_contain_text(row[ANSWER][0])
        assert gold(page) == "".join(row[FACTS])
    expect(page.get_by_role("combobox", name="Forget set")).to_have_value(NAME)
    assert digest not in visible(page)

    page.get_by_role("link", name="Next unlearn them").click()
    expect(page.locator(".rc")).to_contain_text(f"4 answers{NAME}: ")
    expect(page.get_by_text("does not know 2 of 4 measured answers")).to_contain_text("sample 3, sample 4")
    settle(page)
    page.get_by_text("Advanced").click()
    steps = page.get_by_label("Steps", exact=True)
    expect(steps).to_be_visible()
    settle(page)
    steps.fill("2")
    steps.press("Tab")
    expect(page.get_by_text("2 steps of altnpo")).to_be_visible()
    settle(page)
    page.get_by_role("button", name="Start", exact=True).click()
    expect(page.get_by_text("completed").first).to_be_visible(timeout=300_000)
    assert digest not in visible(page)

    (run,) = RunStore(app_folder / "runs").runs()
    assert (run.state.status, len(run.metrics)) == ("completed", 2)
    samples = load_samples(run.spec.samples)
    assert {s.question: s.span for s in samples[2:]} == SPANS
    assert all(fact in s.facts for s, row in zip(samples, rows, strict=True) for fact in row[FACTS])

    page.get_by_role("link", name="Next compare the result").click()
    head = page.locator(".vd.heads .head")
    expect(head).to_have_text(
        "Whether the secret is gone is not shown: no model that never saw it was measured."
    )
    expect(page.get_by_text(SUBJECT)).to_be_visible()
    expect(page.get_by_text("Train one under Outcome.")).to_be_visible()
    expect(page.locator(".pc .panel .head").first).to_contain_text("n = 4")
    settle(page)
    said = call("verdict", run.id, "--out", run.folder.parent).out
    assert said.startswith(head.inner_text())
    assert re.search(r"states the secret or part of it in \d of 4", said)
    claims = page.locator("[data-testid=stTabs] .vd li > div:first-child").all_text_contents()
    assert len(claims) > 3 and all(claim in said for claim in claims)

    page.get_by_text("Export and reproduce").click()
    with page.expect_download() as download:
        page.get_by_role("button", name="Download report (HTML)").click()
    report = download.value.path().read_text(encoding="utf-8")
    for text in (SUBJECT, head.inner_text(), GERMAN[ANSWER], JAPANESE[ANSWER], "--steps 2"):
        assert text in report
    assert digest not in visible(page).partition("Reproduce A")[0]
