"""Compare in a real browser: the table of runs, settings that differ, links, the report opened offline."""

from __future__ import annotations

import pytest
from playwright.sync_api import TimeoutError as PlaywrightTimeout
from playwright.sync_api import expect

from tests.stored_run import HOSTILE, write_run
from tokenunlearn.runs.store import RunStore

pytestmark = pytest.mark.browser
IDS = ["20260101-100000-npo-hard-0001", "20260102-100000-npo-hard-0002", "20260103-100000-npo-hard-0003"]
HEADER, ROW = 35, 35  # pixels of a table's lines


@pytest.fixture(scope="module")
def store(app_folder):
    root = app_folder / "runs"
    for steps, run_id in zip((10, 20, 30), IDS, strict=True):
        write_run(root, run_id, f"run {steps}", steps=steps, shift=steps / 10)
    return RunStore(root)


@pytest.fixture
def fresh(browser, app, store):
    """Opens an address of the page Compare in a browser context of its own."""
    contexts = []

    def open_page(query: str = "", url: str = ""):
        context = browser.new_context(viewport={"width": 1360, "height": 1400}, accept_downloads=True)
        context.set_default_timeout(150_000)
        contexts.append(context)
        page = context.new_page()
        page.goto(url or f"{app}/compare?{query}")
        settled(page)
        return page

    yield open_page
    for context in contexts:
        context.close()


def settled(page) -> None:
    """Wait until the page has been drawn and no script runs."""
    page.get_by_text("Export and reproduce").wait_for(timeout=150_000)
    page.locator('[data-testid="stApp"][data-test-script-state="notRunning"]').wait_for(timeout=150_000)


def table_cells(page, place: int = -1) -> list[list[str]]:
    """Text of a table's cells, as a screen reader hears them; waits until they are drawn."""
    rows = page.locator('[data-testid="stDataFrame"]').nth(place).locator("table tr")
    rows.nth(1).wait_for(state="attached", timeout=150_000)
    return rows.evaluate_all(
        "rows => rows.map(row => [...row.querySelectorAll('th, td')].map(cell => cell.textContent))"
    )


def enter_row(page, row: int) -> None:
    """Put the cursor into the first cell of a row of the table of runs, beside its box."""
    table_cells(page, 0)
    box = page.locator('[data-testid="stDataFrame"]').first.bounding_box()
    page.mouse.click(box["x"] + 6, box["y"] + HEADER + (row + 0.5) * ROW)


def edit_label(page, row: int):
    """Open the editor of a row's label; asked again if a table drawn anew has lost the cursor meanwhile."""
    field = page.locator("textarea.gdg-input:focus")
    for _ in range(5):
        settled(page)
        enter_row(page, row)
        for key in ("ArrowRight", "ArrowRight", "Enter"):
            page.keyboard.press(key)
        try:
            field.wait_for(timeout=5_000)
            break
        except PlaywrightTimeout:
            page.keyboard.press("Escape")
    return field


def test_only_settings_that_differ_until_all_are_asked_for(fresh):
    page = fresh(f"view=Settings&runs={IDS[1]}&runs={IDS[0]}")
    assert table_cells(page)[1:] == [["steps", "20", "10"]]
    page.get_by_text("All settings").click()
    page.wait_for_url("**all_settings=true**")
    page.locator('[data-testid="stDataFrame"] table').get_by_text("threshold").wait_for(state="attached")
    names = [row[0] for row in table_cells(page)[1:]]
    assert {"model", "threshold"} <= set(names)
    rows = int(page.locator('[data-testid="stDataFrame"] table').last.get_attribute("aria-rowcount"))
    assert rows - 1 > len(names) > 5  # of a long table only the rows in view are drawn


def test_a_link_opens_the_same_view_in_a_fresh_browser(fresh):
    page = fresh(f"runs={IDS[2]}&runs={IDS[0]}")
    page.get_by_test_id("stRadio").get_by_text("Tokens", exact=True).click()
    page.get_by_text("Change per token").wait_for()
    page.get_by_role("combobox", name="Sample").click()
    page.get_by_role("option", name="authors-054-01").click()
    page.wait_for_url("**sample=authors-054-01**")
    page.get_by_text("Which prize did Ruben Kaplanyan win?").wait_for()
    settled(page)
    again = fresh(url=page.url)
    again.get_by_text("Change per token").wait_for()
    for text in ("Which prize did Ruben Kaplanyan win?", "A: run 30", "B: run 10"):
        expect(again.get_by_text(text).first).to_be_visible()
    settled(again)
    assert table_cells(again) == table_cells(page)


def test_the_address_names_the_run_that_is_shown_at_first(fresh):
    page = fresh("view=Settings")
    page.wait_for_url(f"**runs={IDS[2]}**")


def test_rows_are_ticked_and_labels_edited_in_the_table(fresh, store):
    page = fresh(f"view=Settings&runs={IDS[2]}")
    enter_row(page, 2)
    page.keyboard.press("Space")
    page.wait_for_url(f"**runs={IDS[2]}&runs={IDS[0]}**")
    settled(page)
    assert table_cells(page)[1:] == [["steps", "30", "10"]]
    page.locator('[data-testid="stDataFrame"] table').first.get_by_text("■ B").wait_for(state="attached")
    field = edit_label(page, 2)
    field.fill(f"new {HOSTILE}")
    field.press("Enter")
    page.get_by_text(f"B: new {HOSTILE}").first.wait_for()
    assert store.get(IDS[0]).label == f"new {HOSTILE}"
    assert store.get(IDS[0]).spec.label == "run 10"
    assert page.title() != "hit"


def test_the_report_opens_offline(fresh, browser, tmp_path):
    page = fresh(f"view=Outcome&runs={IDS[2]}&runs={IDS[1]}")
    page.get_by_text("Export and reproduce").click()
    with page.expect_download(timeout=150_000) as download:
        page.get_by_role("button", name="Download report (HTML)").click()
    path = tmp_path / "comparison.html"
    download.value.save_as(path)
    context = browser.new_context(offline=True)
    context.set_default_timeout(150_000)
    asked: list[str] = []
    faults: list[str] = []
    report = context.new_page()
    report.on("request", lambda request: asked.append(request.url))
    report.on("pageerror", lambda error: faults.append(str(error)))
    report.goto(path.as_uri())
    expect(report.locator(".plotly-graph-div")).to_have_count(3)
    for chart in report.locator(".plotly-graph-div").all():
        chart.locator(".main-svg").first.wait_for()
    assert [url for url in asked if not url.startswith(("file:", "data:", "blob:"))] == []
    assert faults == []
    assert report.title() == "TokenUnlearn comparison"
    assert report.get_by_text("steps", exact=True).first.is_visible()
    assert "python -m tokenunlearn unlearn" in report.inner_text("body")
    assert HOSTILE in report.inner_text("body")
    context.close()
