"""A served app with folders of its own, and pages of a real browser."""

from __future__ import annotations

import pytest

from benchmarks.served_app import ARGUMENTS, find_chromium, served

GROUND = {"light": "rgb(255, 255, 255)", "dark": "rgb(18, 22, 31)"}  # the page's, by theme
SETTLED = """() => {
  if (!window.changed) {
    window.changed = performance.now();
    new MutationObserver(() => { window.changed = performance.now(); })
        .observe(document, {attributes: true, characterData: true, childList: true, subtree: true});
  }
  const app = document.querySelector("[data-testid=stApp]");
  return app?.dataset.testScriptState === "notRunning" && performance.now() - window.changed > 500;
}"""


def settle(page) -> None:
    """Wait until no script runs and nothing on the page has changed for half a second.

    What is typed or clicked while a page is drawn may be lost, and what is read may be of another state.
    """
    page.wait_for_function(SETTLED, polling=100)


@pytest.fixture(scope="module")
def app_folder(tmp_path_factory):
    """Folder of the served app's runs and cache."""
    return tmp_path_factory.mktemp("app")


@pytest.fixture(scope="module")
def app(app_folder):
    """Address of the app, served on a free port until the module's tests have ended."""
    if find_chromium() is None:
        pytest.skip("no Chromium: name one with CHROMIUM or install chromium")
    with served(app_folder) as address:
        yield address


@pytest.fixture(scope="session")
def browser():
    """One headless Chromium for all browser tests."""
    playwright_api = pytest.importorskip("playwright.sync_api")
    path = find_chromium()
    if path is None:
        pytest.skip("no Chromium: name one with CHROMIUM or install chromium")
    playwright_api.expect.set_options(timeout=150_000)
    with playwright_api.sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield chromium
        chromium.close()


@pytest.fixture
def page(browser):
    """A page of a fresh visitor, 1360 x 900."""
    context = browser.new_context(viewport={"width": 1360, "height": 900})
    context.set_default_timeout(150_000)
    yield context.new_page()
    context.close()
