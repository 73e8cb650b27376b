"""The fenced blocks of README and docs, and running those of a page."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parent.parent
README = ROOT / "README.md"
PAGES = [README, *sorted((ROOT / "docs").rglob("*.md"))]
FENCE = re.compile(r"^(?:<!-- ([^\n]*) -->\n)?```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


class Block(NamedTuple):
    """A fenced block of code, and the comment before it that says how it is to be tested."""

    page: Path
    number: int
    mark: str
    language: str
    text: str

    @property
    def runs(self):
        return self.language in ("bash", "python") and not self.mark.startswith("not run: ")

    @property
    def where(self):
        return f"block {self.number} of {self.page.name}"


def blocks(path):
    found = FENCE.findall(path.read_text(encoding="utf-8"))
    return [Block(path, number, *block) for number, block in enumerate(found, start=1)]


ALL = [block for path in PAGES for block in blocks(path)]


def that_run(pages):
    """A test parameter for each page with blocks that run: those blocks."""
    for path in pages:
        run = [block for block in blocks(path) if block.runs]
        slow = any(block.mark == "slow" for block in run)
        if run:
            yield pytest.param(run, id=path.name, marks=[pytest.mark.slow] if slow else [])


def shortened(text):
    """The code with runs of four steps, also where it names no number, and evaluations of twelve samples."""
    text = re.sub(r"(--steps |\bsteps=)\d+", r"\g<1>4", text)
    text = text.replace("-m tokenunlearn unlearn ", "-m tokenunlearn unlearn --steps 4 ")
    text = text.replace('objective="npo")', 'objective="npo", steps=4)')
    return text.replace("-m tokenunlearn evaluate ", "-m tokenunlearn evaluate --limit 12 ")


def assert_they_run(run, folder):
    """Runs blocks in order in a folder, runs of four steps each; fails where one fails."""
    latest = "runs/$(ls -t runs | head -n 1)/"  # the page says ID
    code = [(b.language, shortened(b.text).replace("runs/ID/", latest), b.where) for b in run]
    paths = {"PYTHONPATH": str(ROOT), "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    done = subprocess.run(
        [sys.executable, "-m", "tests.workers.run_blocks", json.dumps(code)],
        cwd=folder,
        env=os.environ | paths,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, (done.stdout + done.stderr)[-3000:]
