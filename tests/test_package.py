"""What may import what: the package loads quickly, the library knows no interface, pages know no torch."""

from __future__ import annotations

import ast
import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

import tokenunlearn
from tests.launch import ALONE, imported_by, launch

ROOT = Path(__file__).resolve().parent.parent
HEAVY = {"torch", "transformers", "streamlit"}
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


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


def test_importing_loads_neither_torch_nor_streamlit():
    modules = {f"tokenunlearn.{name}" for name in ("datasets", "evaluation", "models.presets", "notebook")}
    loaded = imported_by("tests.workers.imports", *modules)
    assert modules <= loaded and HEAVY & loaded == set()


@pytest.mark.slow
def test_what_the_pages_are_drawn_with_does_not_wait_for_torch():
    modules = (module(path) for path in (ROOT / "app").rglob("[a-z]*.py"))
    assert HEAVY & imported_by("tests.workers.imports", *modules) == {"streamlit"}


def test_data_sets_know_no_model():
    wrong = [path for path in files("tokenunlearn/datasets") if "tokenunlearn.models" in path.read_text()]
    assert wrong == []


@pytest.mark.parametrize(
    ("folder", "forbidden"),
    [
        ("tokenunlearn", {"streamlit", "app", "pages"}),
        ("app", {"pages"}),
        ("pages", {"torch", "transformers"}),
    ],
)
@pytest.mark.slow
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


@pytest.mark.slow
def test_every_public_name_can_be_the_first_one_imported():
    launch(ALONE, "tests.workers.first_imports")


def requirements(*lines):
    return {requirement.name: requirement for requirement in map(Requirement, lines)}


def pins(file):
    lines = (line.strip() for line in (ROOT / file).read_text(encoding="utf-8").splitlines())
    return requirements(*(line for line in lines if line and line[0] not in "#-"))


@pytest.mark.parametrize(
    ("file", "extras"), [("requirements.txt", ("app",)), ("requirements-dev.txt", ("dev", "docs"))]
)
def test_every_pin_is_inside_the_range_of_its_package(file, extras):
    project = PROJECT["project"]
    lines = [line for extra in extras for line in project["optional-dependencies"][extra]]
    ranges = requirements(*project["dependencies"], *lines)
    for name, requirement in pins(file).items():
        (pin,) = requirement.specifier
        assert pin.version in ranges[name].specifier, name


def test_every_dependency_of_library_and_app_is_pinned():
    project = PROJECT["project"]
    lines = project["dependencies"] + project["optional-dependencies"]["app"]
    assert requirements(*lines).keys() == pins("requirements.txt").keys()


def test_codespell_looks_for_every_phrase_of_its_dictionary():
    settings = PROJECT["tool"]["codespell"]
    words = (ROOT / settings["dictionary"][0]).read_text(encoding="utf-8").splitlines()
    phrases = [word.split("->")[0] for word in words]
    assert [re.findall(settings["regex"], phrase) for phrase in phrases] == [[phrase] for phrase in phrases]
