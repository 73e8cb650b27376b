"""The documentation site: complete, built without a warning, asking nothing of other machines."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path

import pytest

import tokenunlearn
from tokenunlearn import evaluation, objectives
from tokenunlearn.settings import setting
from tools import site

ROOT = Path(__file__).resolve().parent.parent
API = ROOT / "docs" / "api"


def documented(page):
    """What the lines ``::: place`` of a page name."""
    return re.findall(r"^::: ([\w.]+)$", (API / page).read_text(encoding="utf-8"), re.MULTILINE)


def loaded(place):
    module, _, name = place.rpartition(".")
    return getattr(import_module(module), name)


def test_every_public_name_is_in_the_api():
    shown = {id(loaded(place)) for place in documented("index.md")}
    public = [name for name in tokenunlearn.__all__ if name != "__version__"]
    assert [name for name in public if id(getattr(tokenunlearn, name)) not in shown] == []


def test_every_objective_weighting_and_regularizer_is_in_the_api():
    shown = set(documented("objectives.md"))
    registered = {*objectives.OBJECTIVES.values(), *objectives.WEIGHTINGS.values(), objectives.Regularizer}
    assert {kind.__module__ for kind in registered} <= shown


def test_the_navigation_has_every_page():
    named = set(re.findall(r"[\w/-]+\.md", (ROOT / "mkdocs.yml").read_text(encoding="utf-8")))
    pages = {path.relative_to(ROOT / "docs").as_posix() for path in (ROOT / "docs").rglob("*.md")}
    assert named == pages


def test_a_table_of_settings_has_default_and_help(monkeypatch):
    @dataclass
    class Settings:
        count: int = field(default=3, metadata={"help": "How many."})
        names: tuple[str, ...] = field(default_factory=tuple)
        rate: float | None = None
        share: float = setting(0.5, "How much.", minimum=0, maximum=1)

    monkeypatch.setattr(site, "Settings", Settings, raising=False)
    page = site.on_page_markdown("Before\n{{ settings tools.site.Settings }}\nAfter")
    assert page.splitlines()[3:7] == [
        "| `count` | `3` | How many. |",
        "| `names` | `()` |  |",
        "| `rate` | auto |  |",
        "| `share` | `0.5` | How much. [>= 0, <= 1] |",
    ]


def test_roles_of_docstrings_are_shown_as_code():
    assert site.on_page_content("filled by :meth:<code>resolved</code>") == "filled by <code>resolved</code>"


@pytest.mark.slow
def test_the_site_builds_without_a_warning_and_loads_nothing_from_elsewhere(tmp_path):
    pytest.importorskip("mkdocs")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path)],
        cwd=ROOT,
        env=os.environ | {"NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0 and "WARNING" not in done.stderr, done.stderr
    ids: set[str] = set()
    for page in tmp_path.rglob("*.html"):
        html = page.read_text(encoding="utf-8")
        assert not re.findall(r'<(?:script|link|img)[^>]+(?:src|href)="(?:https?:)?//', html), page
        assert "{{ settings" not in html and ":meth:" not in html, page
        ids |= set(re.findall(r' id="(tokenunlearn[\w.]+)"', html))
    assert {f"tokenunlearn.evaluation.{name}" for name in evaluation.__all__} <= ids
    names = [name for name in objectives.__all__ if name not in ("OBJECTIVES", "WEIGHTINGS", "REGULARIZERS")]
    assert {f"{getattr(objectives, name).__module__}.{name}" for name in names} <= ids
