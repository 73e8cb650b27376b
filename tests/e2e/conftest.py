"""A served app with folders of its own, and pages of a real browser."""

from __future__ import annotations

import pytest

from benchmarks.served_app import ARGUMENTS, find_chromium, served

GROUND = {"light": "rgb(255, 255, 255)", "dark": "rgb(18, 22, 31)"}  # the page's, by theme


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
