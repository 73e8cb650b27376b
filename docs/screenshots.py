"""Takes the screenshots of the docs from the running app: ``python docs/screenshots.py [FOLDER]``.

Needs the packages of requirements-dev.txt and a Chromium (``CHROMIUM`` or on the PATH).
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

ROOT = Path(__file__).resolve().parent.parent
PAGES = {"overview": "", "tokens": "tokens", "unlearn": "unlearn", "compare": "compare"}
VIEWS = {"wide": (1360, 900), "narrow": (400, 860)}


def free_port() -> int:
    """A port nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def settled(page: Page, address: str) -> None:
    """Open an address and wait until the page has stopped running."""
    page.goto(address)
    page.wait_for_selector("h1", timeout=60_000)
    page.wait_for_selector("[data-testid=stStatusWidget]", state="detached", timeout=60_000)
    page.wait_for_timeout(1500)


def main(folder: Path) -> None:
    """Start the app and take every page, wide and narrow, light and dark."""
    port = free_port()
    folder.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "streamlit", "run", "streamlit_app.py", "--server.port", str(port)]
    server = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    address = f"http://127.0.0.1:{port}"
    browser_path = os.environ.get("CHROMIUM") or shutil.which("chromium")
    try:
        for _ in range(120):
            try:
                urllib.request.urlopen(f"{address}/_stcore/health", timeout=1)
                break
            except OSError:
                time.sleep(0.5)
        with sync_playwright() as playwright, tempfile.TemporaryDirectory() as profile:
            for scheme in ("light", "dark"):
                context = playwright.chromium.launch_persistent_context(
                    f"{profile}/{scheme}",
                    executable_path=browser_path,
                    args=["--no-sandbox", "--disable-gpu"],
                    color_scheme=scheme,
                )
                page = context.new_page()
                for view, (width, height) in VIEWS.items():
                    page.set_viewport_size({"width": width, "height": height})
                    for name, path in PAGES.items():
                        settled(page, f"{address}/{path}")
                        page.screenshot(path=folder / f"{name}-{view}-{scheme}.png")
                context.close()
    finally:
        server.terminate()


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "docs" / "images")
