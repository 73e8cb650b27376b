"""Takes the pictures of the docs from the running app: ``python docs/screenshots.py [FOLDER]``.

Compare shows the newest runs of the folder ``runs`` (or ``TOKENUNLEARN_RUNS``), else the shipped one. Every
page is taken at 1920 and 400 pixels, light and dark, with few colors so that the files stay small, and
``docs/gallery.md`` is written, which shows them. Into another folder only the pictures are written.

Needs the packages of requirements-dev.txt and a Chromium (``CHROMIUM`` or on the PATH).
"""

from __future__ import annotations

import io
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Sequence
from itertools import product
from pathlib import Path
from typing import Literal

from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

ROOT = Path(__file__).resolve().parent.parent
IMAGES = ROOT / "docs" / "images"
# The pictures of README and guide, and those of the gallery
SIZES = {"": (1360, 900), "1920": (1920, 1080), "400": (400, 860)}
Scheme = Literal["light", "dark"]
SCHEMES: tuple[Scheme, ...] = ("light", "dark")
PAGES = ("overview", "data", "tokens", "unlearn", "compare", "present", "system")
SHOWN = ("tokens", "compare")
COLORS = 128
HEAD = """# Every page in pictures

Taken by `python docs/screenshots.py` from a fresh checkout, with the example run.
"""


def free_port() -> int:
    """A port nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def settled(page: Page, address: str) -> None:
    """Open an address and wait until the page and its work in the background have stopped."""
    page.goto(address)
    page.wait_for_selector("h1", timeout=60_000)
    page.wait_for_selector("[data-testid=stApp][data-test-script-state=notRunning]", timeout=60_000)
    page.wait_for_timeout(6_000)
    page.wait_for_selector("[data-testid=stProgress]", state="detached", timeout=120_000)


def take(
    browser: Browser, address: str, folder: Path, size: str, scheme: Scheme, pages: Sequence[str]
) -> None:
    """Take pictures of pages of an app that is served at an address."""
    width, height = SIZES[size]
    context = browser.new_context(color_scheme=scheme, viewport={"width": width, "height": height})
    for name in pages:
        page = context.new_page()
        settled(page, f"{address}/{'' if name == 'overview' else name}")
        with Image.open(io.BytesIO(page.screenshot())) as picture:
            picture.convert("RGB").quantize(COLORS).save(
                folder / picture_name(name, size, scheme), optimize=True
            )
        page.close()
    context.close()


def picture_name(page: str, size: str, scheme: str) -> str:
    """File name of a picture."""
    return "-".join(filter(None, [page, size, scheme if size else ""])) + ".png"


def gallery() -> str:
    """The page with all pictures, in Markdown."""
    parts = [HEAD]
    for name in PAGES:
        parts.append(f"## {name.capitalize()}\n")
        for size, scheme in product(("1920", "400"), SCHEMES):
            picture = f"images/{picture_name(name, size, scheme)}"
            parts.append(f"![{name.capitalize()}, {size} pixels wide, {scheme}]({picture})\n")
    return "\n".join(parts)


def main() -> None:
    """Start the app and take the pictures."""
    folder = Path(sys.argv[1]) if len(sys.argv) == 2 else IMAGES
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
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(
                executable_path=os.environ.get("CHROMIUM") or shutil.which("chromium"),
                args=["--no-sandbox", "--disable-gpu"],
            )
            take(browser, address, folder, "", "light", SHOWN)
            for size, scheme in product(("1920", "400"), SCHEMES):
                take(browser, address, folder, size, scheme, PAGES)
            browser.close()
    finally:
        server.terminate()
    if folder == IMAGES:
        (ROOT / "docs" / "gallery.md").write_text(gallery(), encoding="utf-8")


if __name__ == "__main__":
    main()
