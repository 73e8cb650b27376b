"""A served app with folders of its own, and pages of a real browser."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]


def find_chromium() -> str | None:
    """The browser named by CHROMIUM, or the first on the PATH."""
    named = os.environ.get("CHROMIUM")
    found = [shutil.which(name) for name in ("chromium", "chromium-browser", "google-chrome")]
    return named or next(filter(None, found), None)


def free_port() -> int:
    """A port nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="module")
def app_folder(tmp_path_factory):
    """Folder of the served app's runs and cache."""
    return tmp_path_factory.mktemp("app")


@pytest.fixture(scope="module")
def app(app_folder):
    """Address of the app, served on a free port until the module's tests have ended."""
    if find_chromium() is None:
        pytest.skip("no Chromium: name one with CHROMIUM or install chromium")
    port = free_port()
    environment = os.environ | {
        "TOKENUNLEARN_RUNS": str(app_folder / "runs"),
        "TOKENUNLEARN_CACHE": str(app_folder / "cache"),
    }
    with (app_folder / "server.log").open("w") as log:
        server = subprocess.Popen(
            [sys.executable, "-m", "streamlit", "run", "streamlit_app.py", "--server.port", str(port)],
            cwd=ROOT,
            env=environment,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    address = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + 60
        while True:
            try:
                urllib.request.urlopen(f"{address}/_stcore/health", timeout=1)
                break
            except (urllib.error.URLError, OSError):
                assert time.monotonic() < deadline, (app_folder / "server.log").read_text()
                time.sleep(0.2)
        yield address
    finally:
        server.terminate()
        server.wait(timeout=20)


@pytest.fixture(scope="session")
def browser():
    """One headless Chromium for all browser tests."""
    playwright_api = pytest.importorskip("playwright.sync_api")
    path = find_chromium()
    if path is None:
        pytest.skip("no Chromium: name one with CHROMIUM or install chromium")
    playwright_api.expect.set_options(timeout=60_000)
    with playwright_api.sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield chromium
        chromium.close()


@pytest.fixture
def page(browser):
    """A page of a fresh visitor, 1360 x 900."""
    context = browser.new_context(viewport={"width": 1360, "height": 900})
    context.set_default_timeout(30_000)
    yield context.new_page()
    context.close()
