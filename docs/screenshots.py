"""Takes the pictures of the docs from the running app: ``python docs/screenshots.py [--all FOLDER]``.

Compare shows the newest runs of the folder ``runs`` (or ``TOKENUNLEARN_RUNS``), else the shipped one.
With ``--all`` every page is taken, wide and narrow, light and dark, into a folder of its own.

Needs the packages of requirements-dev.txt and a Chromium (``CHROMIUM`` or on the PATH).
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from itertools import product
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

ROOT = Path(__file__).resolve().parent.parent
SIZES = {"wide": (1360, 900), "narrow": (400, 860)}
SCHEMES = ("light", "dark")
PAGES = ("overview", "tokens", "unlearn", "compare", "data", "present", "system")
# Pictures that the docs show; the others are for looking at.
SHOWN = ("tokens", "tokens-dark", "tokens-narrow", "unlearn", "compare", "present")


def free_port() -> int:
    """A port nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def settled(page: Page, address: str) -> None:
    """Open an address and wait until the page has stopped running."""
    page.goto(address)
    page.wait_for_selector("h1", timeout=60_000)
    page.wait_for_selector("[data-testid=stApp][data-test-script-state=notRunning]", timeout=60_000)
    page.wait_for_timeout(12_000)


def picture_name(page: str, size: str, scheme: str) -> str:
    """Name of a picture; what is usual, wide and light, is left out."""
    return "-".join([page, *([size] if size != "wide" else []), *([scheme] if scheme != "light" else [])])


def take(address: str, folder: Path, wanted: Callable[[str], bool]) -> None:
    """Take the wanted pictures of an app that is served at an address."""
    browser_path = os.environ.get("CHROMIUM") or shutil.which("chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=browser_path, args=["--no-sandbox", "--disable-gpu"]
        )
        for scheme, (size, (width, height)), name in product(SCHEMES, SIZES.items(), PAGES):
            picture = picture_name(name, size, scheme)
            if not wanted(picture):
                continue
            context = browser.new_context(color_scheme=scheme, viewport={"width": width, "height": height})
            page = context.new_page()
            settled(page, f"{address}/{'' if name == 'overview' else name}")
            page.screenshot(path=folder / f"{picture}.png")
            context.close()
        browser.close()


def main() -> None:
    """Start the app and take the pictures."""
    everything = len(sys.argv) == 3 and sys.argv[1] == "--all"
    folder = Path(sys.argv[2]) if everything else ROOT / "docs" / "images"
    folder.mkdir(parents=True, exist_ok=True)
    port = free_port()
    command = [sys.executable, "-m", "streamlit", "run", "streamlit_app.py", "--server.port", str(port)]
    server = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    address = f"http://127.0.0.1:{port}"
    try:
        for _ in range(120):
            try:
                urllib.request.urlopen(f"{address}/_stcore/health", timeout=1)
                break
            except OSError:
                time.sleep(0.5)
        take(address, folder, lambda picture: everything or picture in SHOWN)
    finally:
        server.terminate()


if __name__ == "__main__":
    main()
