"""What the contributing guide, the citation and the workflow name exists."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from tokenunlearn import __version__

ROOT = Path(__file__).resolve().parent.parent
GUIDE = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
LISTS = re.findall(r"`([A-Z]+)` of `(tokenunlearn/[\w/]+\.py)`", GUIDE)


@pytest.mark.parametrize("target", sorted({*re.findall(r"^make (\w+)", GUIDE, re.MULTILINE)}))
def test_a_make_target_of_the_guide_exists(target):
    subprocess.run(["make", "-n", target], cwd=ROOT, check=True, capture_output=True)


def test_files_that_the_guide_names_exist():
    paths = re.findall(r"`([\w./-]+/[\w./-]*)`|\]\(([^):]+)\)", GUIDE)
    missing = [
        path
        for pair in paths
        for path in pair
        if path and not (ROOT / path.replace("NAME", "__init__")).exists()
    ]
    assert paths and missing == []


@pytest.mark.parametrize(("registry", "file"), LISTS)
def test_an_addition_is_listed_where_the_guide_says(registry, file):
    assert re.search(rf"^{registry}\b.*= ", (ROOT / file).read_text(encoding="utf-8"), re.MULTILINE)


def test_every_kind_of_addition_names_its_list():
    assert len(LISTS) == len(re.findall(r"^\| an? ", GUIDE, re.MULTILINE)) > 0


def test_the_citation_is_of_this_version():
    assert f"\nversion: {__version__}\n" in (ROOT / "CITATION.cff").read_text(encoding="utf-8")
