"""Present and Data in a real browser: slides by keyboard from a link, facts marked by selecting text."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tokenunlearn.folders import ASSETS

pytestmark = pytest.mark.browser
NASTY = "<img src=x onerror=alert(1)> $x^2$ :red[x] **b** אבג a\u200bb 🎉 secret end"


@pytest.fixture(scope="module")
def address(app_folder, app):
    """The app with one more run, whose texts are markup; nobody has opened its front page."""
    shipped = next((ASSETS / "runs").iterdir())
    nasty = app_folder / "runs" / "20200101-000000-npo-hard-0000"
    shutil.copytree(shipped, nasty)
    spec = json.loads((nasty / "spec.json").read_text()) | {"id": nasty.name, "label": NASTY}
    (nasty / "spec.json").write_text(json.dumps(spec))
    rows = [{"sample_id": "s", "question": NASTY, "answer": NASTY, "before": NASTY, "after": NASTY}]
    (nasty / "generations.json").write_text(json.dumps({"forget": rows, "retain": rows}))
    (nasty / "report.json").unlink()
    return app


@pytest.fixture
def page(browser, address):
    """A page of a fresh visitor; a script that text smuggled in would open a dialog, which fails the test."""
    context = browser.new_context(base_url=address, viewport={"width": 1360, "height": 900})
    context.set_default_timeout(150_000)
    page = context.new_page()
    dialogs = []
    page.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
    yield page
    context.close()
    assert dialogs == []


def heading(page, text):
    """Wait for a slide, and for the page to listen to keys."""
    expect(page.locator(".sl h1")).to_have_text(text)
    page.locator(".arrow-keys[data-listening]").wait_for(state="attached")


def test_slides_turn_by_keyboard_from_a_link(page):
    page.goto("/present?slide=marked")
    heading(page, "What was marked")
    assert page.locator(".sl mark").count() > 3
    page.keyboard.press("ArrowRight")
    heading(page, "What it says now")
    page.keyboard.press("ArrowRight")
    heading(page, "What it still knows")
    page.keyboard.press("ArrowLeft")
    heading(page, "What it says now")
    page.wait_for_url("**/present?run=*&slide=now")
    link = page.url
    page.keyboard.press("ArrowRight")
    heading(page, "What it still knows")
    page.goto(link)
    heading(page, "What it says now")


def test_the_keyboard_stops_at_both_ends(page):
    page.goto("/present?slide=open")
    heading(page, "What this does not show")
    expect(page.get_by_role("button", name="Next")).to_be_disabled()
    page.keyboard.press("ArrowRight")
    heading(page, "What this does not show")
    page.keyboard.press("ArrowLeft")
    heading(page, "Is it gone? How we checked")
    page.goto("/present")
    heading(page, "Forget six authors")
    expect(page.get_by_role("button", name="Back")).to_be_disabled()
    page.keyboard.press("ArrowLeft")
    heading(page, "Forget six authors")
    page.keyboard.press("ArrowRight")
    heading(page, "What it knew")


def test_no_press_is_lost_while_the_page_is_being_drawn(page):
    page.goto("/present")
    heading(page, "Forget six authors")
    page.locator("[data-testid=stApp][data-test-script-state=notRunning]").wait_for()
    for key in ("ArrowRight", "ArrowRight", "ArrowRight", "ArrowLeft", "ArrowRight"):
        page.keyboard.press(key)
        page.wait_for_timeout(40)
    heading(page, "What it says now")
    page.wait_for_url("**/present?run=*&slide=now")
    for _ in range(9):
        page.keyboard.press("ArrowLeft")
    heading(page, "Forget six authors")
    page.get_by_role("button", name="Next").click()
    heading(page, "What it knew")
    page.keyboard.press("ArrowRight")
    heading(page, "What was marked")
    page.get_by_role("combobox", name="Run").focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_timeout(500)
    expect(page.locator(".sl h1")).to_have_text("What was marked")


def test_markup_in_answers_and_labels_is_text(page):
    page.goto("/present?run=20200101-000000-npo-hard-0000&slide=start")
    heading(page, NASTY)
    page.keyboard.press("ArrowRight")
    heading(page, "What it knew")
    assert page.locator(".sl .said").first.text_content() == NASTY
    assert page.locator(".sl img").count() == 0


def select(page, text):
    """Select a text inside the answer that is being marked, as dragging over it does."""
    page.evaluate(
        """(wanted) => {
          const walker = document.createTreeWalker(document.querySelector('.span-marker .answer'), 4);
          for (let node = walker.nextNode(); node; node = walker.nextNode()) {
            const at = node.data.indexOf(wanted);
            if (at >= 0) { getSelection().setBaseAndExtent(node, at, node, at + wanted.length); return; }
          }
          throw new Error("not there: " + wanted);
        }""",
        text,
    )


def test_facts_are_marked_by_selecting_text_and_saved(page):
    page.goto("/data")
    row = json.dumps({"question": "Q :red[x] <b>?", "answer": NASTY})
    page.locator("input[type=file]").set_input_files(
        {"name": "x.jsonl", "mimeType": "application/json", "buffer": row.encode()}
    )
    page.get_by_role("button", name="Add 1 sample").click()
    answer = page.locator(".span-marker .answer")
    expect(answer).to_have_text(NASTY)
    assert answer.locator("img").count() == 0
    add = page.get_by_role("button", name="Mark selected text")
    expect(add).to_be_disabled()
    select(page, " secret ")
    add.click()
    expect(answer.locator("mark")).to_have_text("secret")
    select(page, "🎉")
    add.click()
    expect(answer.locator("mark")).to_have_text(["🎉", "secret"])
    page.get_by_role("button", name="Remove gold span 🎉").click()
    expect(answer.locator("mark")).to_have_text(["secret"])
    page.get_by_label("Name of the set").fill("browser")
    page.get_by_label("Name of the set").press("Enter")
    with page.expect_download() as download:
        page.get_by_role("button", name="Download as JSONL").click()
    (kept,) = map(json.loads, Path(download.value.path()).read_text(encoding="utf-8").splitlines())
    start = NASTY.index("secret")
    assert (kept["answer"], kept["span"]) == (NASTY, [[start, start + 6]])
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Saved as browser")).to_be_visible()
    page.get_by_text("Show tokens").last.click()
    expect(page.locator(".mi.text .gold").first).to_be_visible(timeout=300_000)  # the server loads torch
    shown = "".join(page.locator(".mi.text .gold").all_text_contents()).replace("␣", " ")
    assert shown.strip() == "secret"
