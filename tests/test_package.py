"""What may import what: the package loads quickly, the library knows no interface, pages know no torch."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

import tokenunlearn

ROOT = Path(__file__).resolve().parent.parent


def imported(path):
    """Top-level packages that a file imports anywhere, under its functions too."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.split(".")[0]


def files(folder):
    return sorted((ROOT / folder).rglob("*.py"))


def module(path):
    return ".".join(path.relative_to(ROOT).with_suffix("").parts)


def loaded_by(*modules):
    """The heavy packages that importing modules loads."""
    heavy = "{'torch', 'transformers', 'streamlit'}"
    code = f"import sys, {', '.join(modules)}; print(*sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    return done.stdout.split()


@pytest.mark.parametrize(
    "module",
    ["tokenunlearn", "tokenunlearn.datasets", "tokenunlearn.evaluation", "tokenunlearn.models.presets"],
)
def test_importing_loads_neither_torch_nor_streamlit(module):
    assert loaded_by(module) == []


def test_what_the_pages_are_drawn_with_does_not_wait_for_torch():
    assert loaded_by(*(module(path) for path in (ROOT / "app").rglob("[a-z]*.py"))) == ["streamlit"]


@pytest.mark.parametrize(
    ("folder", "forbidden"),
    [
        ("tokenunlearn", {"streamlit", "app", "pages"}),
        ("app", {"pages"}),
        ("pages", {"torch", "transformers"}),
    ],
)
def test_imports_point_one_way(folder, forbidden):
    wrong = {
        str(path.relative_to(ROOT)): found
        for path in files(folder)
        if (found := forbidden & {*imported(path)})
    }
    assert wrong == {}


def test_the_library_is_there_to_be_checked():
    assert len(files("tokenunlearn")) > 20


def test_public_names_and_version():
    names = dir(tokenunlearn)
    assert re.fullmatch(r"\d+\.\d+\.\d+", tokenunlearn.__version__)
    assert {"score", "load_model", "HardSelection"} <= set(names)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        tokenunlearn.nothing  # noqa: B018
