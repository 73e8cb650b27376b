"""The app served by a process of its own, and the Chromium that looks at it."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
PATIENCE = 180  # seconds that a server may take to answer


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


@contextmanager
def served(folder: Path, *options: str) -> Iterator[str]:
    """Address of the app, once it answers; it is served until the context is left.

    Args:
        folder: Where its runs, its cache and ``server.log`` are kept.
        options: Further options of "streamlit run".

    Raises:
        RuntimeError: With the server's log, if it does not answer.
    """
    port, log_path = free_port(), folder / "server.log"
    folders = {f"TOKENUNLEARN_{name}": str(folder / name.lower()) for name in ("RUNS", "CACHE")}
    command = [sys.executable, "-m", "streamlit", "run", "streamlit_app.py", "--server.port", str(port)]
    command += options
    with log_path.open("w") as log:
        server = subprocess.Popen(
            command, cwd=ROOT, env=os.environ | folders, stdout=log, stderr=subprocess.STDOUT
        )
    address = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + PATIENCE
        while not answers(address):
            if time.monotonic() > deadline:
                raise RuntimeError(f"The app did not answer:\n{log_path.read_text()}")
            time.sleep(0.05)
        yield address
    finally:
        server.terminate()
        server.wait(timeout=PATIENCE)


def answers(address: str) -> bool:
    """Whether the app is there."""
    try:
        urllib.request.urlopen(f"{address}/_stcore/health", timeout=1).close()
    except (urllib.error.URLError, OSError):
        return False
    return True
