"""Compare in a real browser: verdict and picture, evaluations, runs, links, the report opened offline."""

from __future__ import annotations

import shutil

import pytest
from playwright.sync_api import TimeoutError as PlaywrightTimeout
from playwright.sync_api import expect

from tests.e2e.conftest import settle
from tests.stored_run import HOSTILE, write_run
from tokenunlearn.folders import ASSETS
from tokenunlearn.runs.store import RunStore

pytestmark = pytest.mark.browser
IDS = ["20260101-100000-npo-hard-0001", "20260102-100000-npo-hard-0002", "20260103-100000-npo-hard-0003"]
UNMEASURED = "20260104-100000-npo-hard-0004"
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

    def open_page(query: str = "", url: str = "", size: tuple[int, int] = (1360, 1400), **options):
        viewport = {"width": size[0], "height": size[1]}
        context = browser.new_context(viewport=viewport, accept_downloads=True, **options)
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
    """Wait until the page has been drawn to its end, and rests."""
    page.get_by_text("Export and reproduce").wait_for()
    settle(page)


def table_cells(page, place: int = -1) -> list[list[str]]:
    """Text of a table's cells, as a screen reader hears them; waits until they are drawn."""
    rows = page.locator('[data-testid="stDataFrame"]').nth(place).locator("table tr")
    rows.nth(1).wait_for(state="attached")
    return rows.evaluate_all(
        "rows => rows.map(row => [...row.querySelectorAll('th, td')].map(cell => cell.textContent))"
    )


def enter_row(page, row: int) -> None:
    """Put the cursor into the first cell of a row of the table of runs, beside its box."""
    table_cells(page, 0)
    box = page.locator('[data-testid="stDataFrame"]').first.bounding_box()
    page.mouse.click(box["x"] + 6, box["y"] + HEADER + (row + 0.5) * ROW)


def tick(page, row: int, url: str) -> None:
    """Tick a row; try again if the table was redrawn and the key was lost."""
    for _ in range(5):
        settled(page)
        enter_row(page, row)
        page.keyboard.press("Space")
        try:
            page.wait_for_url(url, timeout=20_000)
            return
        except PlaywrightTimeout:
            continue
    page.wait_for_url(url)


def edit_label(page, row: int):
    """Open the editor of a row's label; try again if the table was redrawn and the keys were lost."""
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


@pytest.mark.parametrize("width", [1400, 420])
def test_the_page_begins_with_the_verdict_and_one_picture(fresh, width):
    page = fresh(f"runs={IDS[2]}&runs={IDS[0]}", size=(width, 900))
    tops = [page.locator(css).bounding_box()["y"] for css in (".vd.heads", ".pc", "[data-testid=stTabs]")]
    assert tops == sorted(tops)
    expect(page.locator(".vd.heads .head")).to_have_count(2)
    heads = page.locator(".pc .panel .head").all_inner_texts()
    assert heads[0].startswith("Secret ↓") and len(heads) > 2
    lanes = page.locator(".pc .panel").first.locator(".lane")
    expect(lanes).to_have_count(4)
    marks = [lane.locator(".mark").inner_text() for lane in lanes.all()]
    assert marks == ["□", "●", "▲", "◆"]
    places = [lane.locator(".mark").bounding_box()["x"] for lane in lanes.all()]
    assert places[0] > places[1] + 40  # the start model states the secret, the run does not
    names = page.locator(".pc .who" if width == 1400 else ".pc .panel >> nth=0 >> .lane .name")
    assert [name.inner_text().split("run")[0].strip() for name in names.all()][1:3] == ["● A:", "▲ B:"]
    if width == 420:
        assert all(name.bounding_box()["width"] > 40 for name in names.all())
    else:
        assert tops[2] < 900  # all of it is on the first screen
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    cut = "box => box.scrollWidth > box.clientWidth + 1"
    assert not any(value.evaluate(cut) for value in page.locator(".pc .value").all())


def test_a_run_that_is_not_evaluated_is_evaluated_with_one_click_and_then_alike(fresh, store):
    folder = write_run(store.root, UNMEASURED, "weights alone").folder
    (folder / "report.json").unlink()
    shutil.copytree(ASSETS / "models" / "demo-retrained", folder / "adapter", dirs_exist_ok=True)
    try:
        page = fresh(f"runs={UNMEASURED}")
        page.get_by_text("A: weights alone is not evaluated yet.").wait_for()
        expect(page.locator(".pc .panel").first.locator(".lane").nth(1)).to_contain_text("not evaluated")
        page.get_by_role("button", name="Evaluate A (24 samples per split)").click()
        page.locator(".vd.heads").wait_for(timeout=300_000)
        settled(page)
        expect(page.get_by_text("is not evaluated yet")).to_have_count(0)
        expect(page.get_by_text("start, retrained 66 to 648; A 24.")).to_be_visible()
        expect(page.locator(".pc .head").nth(1)).to_contain_text("n = 24")
        expect(page.get_by_role("button", name="Evaluate A again (all samples)")).to_be_visible()
    finally:
        shutil.rmtree(folder)


def test_leaks_show_how_a_secret_comes_out_and_at_which_token(fresh):
    (shipped,) = RunStore(ASSETS / "runs", read_only=True).runs()
    page = fresh(f"view=Leaks&runs={shipped.id}")
    page.get_by_text("questions leak (").wait_for()
    expect(page.get_by_text("True answer", exact=True)).to_be_visible()
    expect(page.locator(".ad .gold").first).to_be_visible()
    expect(page.locator(".ad .gold[title*='rank 1 → ']")).not_to_have_count(0)


def test_runs_are_grouped_by_a_setting_that_the_address_keeps(fresh):
    page = fresh(f"view=Runs&runs={IDS[0]}")
    page.get_by_role("combobox", name="Group by").click()
    page.get_by_role("option", name="steps", exact=True).click()
    page.wait_for_url("**group=steps**")
    page.get_by_role("heading", name="Runs by setting").wait_for()
    settled(page)
    assert [row[:2] for row in table_cells(page)[1:4]] == [["10", "1"], ["20", "1"], ["30", "1"]]


def test_a_link_opens_the_same_view_in_a_fresh_browser(fresh):
    page = fresh(f"runs={IDS[2]}&runs={IDS[0]}")
    page.get_by_role("tab", name="Tokens").click()
    page.get_by_text("Change per token").wait_for()
    page.get_by_role("combobox", name="Sample").click()
    page.get_by_role("option", name="Which prize did Ruben Kaplanyan win?").click()
    page.wait_for_url("**sample=2.**")
    settled(page)
    again = fresh(url=page.url)
    again.get_by_text("Change per token").wait_for()
    for text in ("Which prize did Ruben Kaplanyan win?", "A: run 30", "B: run 10"):
        expect(again.get_by_text(text).first).to_be_attached()
    settled(again)
    assert table_cells(again) == table_cells(page)


def test_the_address_names_the_run_that_is_shown_at_first(fresh):
    page = fresh("view=Settings")
    page.wait_for_url(f"**runs={IDS[2]}**")


def test_rows_are_ticked_and_labels_edited_in_the_table(fresh, store):
    page = fresh(f"view=Runs&runs={IDS[2]}")
    tick(page, 2, f"**runs={IDS[2]}&runs={IDS[0]}**")
    settled(page)
    page.locator('[data-testid="stDataFrame"] table').first.get_by_text("▲ B").wait_for(state="attached")
    field = edit_label(page, 2)
    field.fill(f"new {HOSTILE}")
    field.press("Enter")
    page.get_by_text(f"B: new {HOSTILE}").first.wait_for(state="attached")
    assert store.get(IDS[0]).label == f"new {HOSTILE}"
    assert store.get(IDS[0]).spec.label == "run 10"
    page.get_by_role("tab", name="Settings").click()
    settled(page)
    assert table_cells(page)[1:] == [["steps", "30", "10"]]
    assert page.title() != "hit"


def test_the_report_opens_offline(fresh, browser, tmp_path):
    page = fresh(f"view=Outcome&runs={IDS[2]}&runs={IDS[1]}")
    page.get_by_text("Export and reproduce").click()
    with page.expect_download() as download:
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
    expect(report.locator(".plotly-graph-div")).to_have_count(2)
    expect(report.locator(".pc .lane").first).to_be_visible()
    for chart in report.locator(".plotly-graph-div").all():
        chart.locator(".main-svg").first.wait_for()
    assert [url for url in asked if not url.startswith(("file:", "data:", "blob:"))] == []
    assert faults == []
    assert report.title() == "TokenUnlearn comparison"
    assert report.get_by_text("steps", exact=True).first.is_visible()
    assert "python -m tokenunlearn unlearn" in report.inner_text("body")
    assert HOSTILE in report.inner_text("body")
    context.close()
