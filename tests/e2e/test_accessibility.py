"""axe-core on every page, light and dark: no serious fault."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.e2e.conftest import GROUND, settle
from tests.stored_run import write_run

pytestmark = pytest.mark.browser
# Page -> what is there once it is drawn. The panel What the model reads is open on Tokens, closed on Unlearn.
PAGES = {
    "": "h1",
    "tokens?model_input=true": ".mi.text",
    "unlearn": "h1",
    "compare": "text=Export and reproduce",
    "data": "h1",
    "present": ".sl h1",
    "system": ".sy",
}


# Two pictures are drawn: on a busy machine some boxes take on the theme later than the page.
DRAWN = "() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"
# No color is on its way from one theme to another.
FADED = "document.getAnimations().every(a => !(a instanceof CSSTransition) || a.playState !== 'running')"


@pytest.fixture(scope="module")
def address(app_folder, app):
    """The app with two runs to compare."""
    for steps in (10, 20):
        write_run(app_folder / "runs", f"20260101-100000-npo-hard-00{steps}", f"run {steps}", steps=steps)
    return app


def serious(page):
    """The serious and critical violations of a page, each as one line that says where."""
    axe_api = pytest.importorskip("axe_playwright_python.sync_playwright")
    found = axe_api.Axe().run(page).response["violations"]
    return [
        f"{fault['id']} ({fault['impact']}): {fault['help']}: {node['target']} {node['html'][:160]}"
        for fault in found
        if fault["impact"] in ("serious", "critical")
        for node in fault["nodes"]
    ]


def switch_to(page, scheme):
    """Draw the page in a theme, and wait until its colors have faded in."""
    page.emulate_media(color_scheme=scheme)
    expect(page.locator("[data-testid=stApp]")).to_have_css("background-color", GROUND[scheme])
    settle(page)
    page.evaluate(DRAWN)
    page.wait_for_function(FADED)


@pytest.mark.parametrize("name", PAGES)
def test_a_page_has_no_serious_fault(page, address, name):
    page.goto(f"{address}/{name}")
    expect(page.locator(PAGES[name]).first).to_be_visible()
    settle(page)
    for tab in page.get_by_role("tab").all() or [None]:
        if tab:
            tab.click()
            expect(tab).to_have_attribute("aria-selected", "true")
            settle(page)
        for scheme in GROUND:
            switch_to(page, scheme)
            assert serious(page) == [], scheme
