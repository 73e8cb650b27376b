"""Present and Data in a real browser: slides by keyboard from a link, facts marked by selecting text."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.e2e.conftest import GROUND, settle
from tokenunlearn.folders import ASSETS

pytestmark = pytest.mark.browser
ASKED = "20200102-000000-npo-hard-0000"
TITLES = [
    "Forget six authors",
    "What it knew",
    "What was marked",
    "What it says now",
    "What it still knows",
    "Is it gone?",
    "What we did not test",
    "Ask it yourself",
]
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
    asked = app_folder / "runs" / ASKED
    shutil.copytree(shipped, asked)
    (asked / "report.json").unlink()
    named = {"id": ASKED, "label": "With weights", "model": "demo"}
    (asked / "spec.json").write_text(json.dumps(spec | named))
    shutil.rmtree(asked / "adapter")
    shutil.copytree(ASSETS / "models" / "demo-retrained", asked / "adapter")
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
    page.locator(".deck-keys[data-listening]").wait_for(state="attached")


def test_slides_turn_by_keyboard_from_a_link(page):
    page.goto("/present?slide=marked")
    heading(page, "What was marked")
    assert page.locator(".sl mark").count() > 1
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
    page.goto("/present?slide=ask")
    heading(page, "Ask it yourself")
    expect(page.get_by_role("button", name="Next")).to_be_disabled()
    page.keyboard.press("ArrowRight")
    heading(page, "Ask it yourself")
    page.keyboard.press("ArrowLeft")
    heading(page, "What we did not test")
    page.keyboard.press("Home")
    heading(page, "Forget six authors")
    page.keyboard.press("End")
    heading(page, "Ask it yourself")
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
    settle(page)
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


def test_a_second_quick_press_of_next_turns_one_slide_further_and_is_not_lost(page):
    page.goto("/present")
    heading(page, "Forget six authors")
    settle(page)
    forward = page.get_by_role("button", name="Next")
    forward.dblclick()
    heading(page, "What was marked")
    page.wait_for_url("**/present?run=*&slide=marked")
    forward.focus()
    for _ in range(3):
        page.keyboard.press("Enter")
    heading(page, "Is it gone?")
    page.get_by_role("button", name="Back").dblclick()
    heading(page, "What it says now")


def test_escape_leaves_the_slides_and_first_what_is_typed(page):
    page.goto("/present?slide=ask&title=Ours")
    heading(page, "Ask it yourself")
    page.get_by_label("Your question").focus()
    page.keyboard.press("Escape")
    expect(page.get_by_label("Your question")).not_to_be_focused()
    page.keyboard.press("Home")
    heading(page, "Ours")
    page.keyboard.press("Escape")
    expect(page.locator("header[data-testid=stHeader]")).to_be_visible()
    expect(page).not_to_have_url(re.compile("/present"))


SHOWN = "getComputedStyle(document.querySelector('.st-key-present-controls')).opacity === '1'"


def test_controls_hide_until_the_mouse_moves(page):
    page.goto("/present")
    heading(page, "Forget six authors")
    page.mouse.move(10, 10)
    controls = page.locator(".st-key-present-controls")
    expect(controls).to_have_css("opacity", "0")
    page.mouse.move(300, 300)
    page.wait_for_function(SHOWN)  # in each frame: they are for three seconds
    expect(page.locator("header[data-testid=stHeader]")).to_be_hidden()


MEASURE = """() => {
  const shown = (e) => [...e.childNodes].some((n) => n.nodeType === 3 && n.data.trim())
      && e.getBoundingClientRect().height > 0 && e.checkVisibility();
  const texts = [...document.querySelectorAll(".sl *, .st-key-present-chat *")].filter(shown);
  const boxes = texts.map((e) => e.getBoundingClientRect());
  const tall = (e) => e.scrollHeight > e.clientHeight + 2;
  const main = document.querySelector("[data-testid=stMain]");
  return {
    smallest: Math.min(...texts.map((e) => parseFloat(getComputedStyle(e).fontSize))),
    used: (Math.max(...boxes.map((b) => b.bottom)) - Math.min(...boxes.map((b) => b.top))) / innerHeight,
    outside: texts.filter((e, i) => boxes[i].bottom > innerHeight + 1 || boxes[i].right > innerWidth + 1)
        .map((e) => e.textContent),
    cut: [...document.querySelectorAll(".sl, .sl .body, .sl .card, .sl .clamped")].filter(tall)
        .map((e) => `${e.className}: ${e.textContent.slice(0, 60)} ${e.scrollHeight} > ${e.clientHeight}`),
    scrolls: [main.scrollHeight > innerHeight, main.scrollWidth > innerWidth],
  };
}"""


@pytest.mark.parametrize(("width", "height"), [(1280, 720), (1920, 1080)])
def test_slides_fill_a_projector_and_nothing_overflows(page, width, height):
    page.set_viewport_size({"width": width, "height": height})
    page.goto("/present")
    for title in TITLES:
        heading(page, title)
        settle(page)
        measured = page.evaluate(MEASURE)
        assert measured["smallest"] >= 24, (title, measured)
        assert measured["used"] >= 0.6, (title, measured)
        assert (measured["outside"], measured["cut"]) == ([], []), (title, measured)
        assert measured["scrolls"] == [False, False], (title, measured)
        page.keyboard.press("ArrowRight")


def test_on_a_phone_slides_are_read_by_scrolling(page):
    page.set_viewport_size({"width": 420, "height": 860})
    page.goto("/present")
    for title in TITLES:
        heading(page, title)
        settle(page)
        measured = page.evaluate(MEASURE)
        assert measured["smallest"] >= 14, (title, measured)
        assert not measured["scrolls"][1], (title, measured)
        page.keyboard.press("ArrowRight")


def test_marked_words_fade_unless_motion_is_unwanted(page):
    page.goto("/present?slide=marked")
    heading(page, "What was marked")
    for wish, animation in (("no-preference", "vanish"), ("reduce", "none")):
        page.emulate_media(reduced_motion=wish)
        expect(page.locator(".sl .vanish").first).to_have_css("animation-name", animation)


def test_the_deck_is_printed_one_page_a_slide_in_either_theme(page):
    page.goto("/present?slide=marked&title=Ours")
    heading(page, "What was marked")
    for scheme, ground in GROUND.items():
        page.emulate_media(media="null", color_scheme=scheme)
        expect(page.locator("[data-testid=stApp]")).to_have_css("background-color", ground)
        pdf = page.pdf(prefer_css_page_size=True, print_background=True)
        assert len(re.findall(rb"/Type /Page\b", pdf)) == len(TITLES)
        assert {*re.findall(rb"/MediaBox \[([\d. ]+)\]", pdf)} == {b"0 0 960 540"}
        page.emulate_media(media="print")
        assert page.locator(".paper h1").all_text_contents() == ["Ours", *TITLES[1:]]
        expect(page.locator(".paper")).to_have_css("color", "rgb(3, 7, 18)")
        expect(page.locator("html")).to_have_css("background-color", "rgb(255, 255, 255)")
        expect(page.locator(".st-key-present-controls")).to_be_hidden()


def test_the_button_opens_the_print_dialog(page):
    page.add_init_script("window.print = () => { window.printed = true; }")
    page.goto("/present")
    heading(page, "Forget six authors")
    page.get_by_role("button", name="Save as PDF").click()
    page.wait_for_function("window.printed === true")


def test_models_are_asked_on_the_last_slide(page):
    page.goto(f"/present?run={ASKED}&slide=ask")
    heading(page, "Ask it yourself")
    page.locator(".st-key-chat-suggested button").first.click()
    expect(page.locator(".ca .said")).to_have_count(3, timeout=400_000)  # the server loads torch
    assert page.locator(".ca .said").first.text_content() == "states the fact"
    assert page.locator(".ca .piece[title*=nats]").count() > 20
    page.get_by_role("button", name="In other words").click()
    expect(page.locator(".chat-question")).to_contain_text("In other words:")
    expect(page.locator(".ca .said")).to_have_count(3)
    measured = page.evaluate(MEASURE)
    assert measured["smallest"] >= 24 and measured["scrolls"] == [False, False], measured


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


def test_marks_removed_in_quick_succession_are_all_gone(page):
    page.goto("/data")
    row = json.dumps({"question": "Q?", "answer": "red green blue", "span": ["red", "green", "blue"]})
    page.locator("input[type=file]").set_input_files(
        {"name": "x.jsonl", "mimeType": "application/json", "buffer": row.encode()}
    )
    page.get_by_role("button", name="Add 1 sample").click()
    marks = page.locator(".span-marker mark")
    expect(marks).to_have_text(["red", "green", "blue"])
    buttons = "document.querySelectorAll('.span-marker [aria-label^=Remove]')"
    page.evaluate(f"[...{buttons}].slice(0, 2).forEach((button) => button.click())")
    expect(marks).to_have_text(["blue"], timeout=10_000)


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
