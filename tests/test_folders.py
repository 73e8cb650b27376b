"""Where assets and app are: beside the package in a checkout, inside it in an installed wheel."""

from __future__ import annotations

import runpy
import shutil
from pathlib import Path

import pytest

from tokenunlearn import folders
from tokenunlearn.datasets.public import data_folder
from tokenunlearn.evaluation import report

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture
def installed(tmp_path):
    """The names of ``folders.py``, run from a place where it is installed."""
    package = tmp_path / "site-packages" / "tokenunlearn"
    package.mkdir(parents=True)
    return runpy.run_path(str(shutil.copy(folders.__file__, package)))


def test_in_a_checkout_assets_and_app_lie_beside_the_package():
    assert (folders.CHECKOUT, folders.ASSETS, folders.APP) == (ROOT, ROOT / "assets", ROOT)
    assert (folders.ASSETS / "models" / "demo").is_dir() and (folders.APP / "streamlit_app.py").is_file()


def test_in_a_wheel_assets_and_app_lie_inside_the_package(installed):
    package = installed["PACKAGE"]
    assert package.parent.name == "site-packages"
    assert installed["CHECKOUT"] is None
    assert (installed["ASSETS"], installed["APP"]) == (package / "assets", package / "_app")


def test_an_installed_package_has_no_git_revision(monkeypatch, installed):
    monkeypatch.setattr(report, "CHECKOUT", installed["CHECKOUT"])
    assert report.git_revision() == ""


def test_a_variable_without_a_value_leaves_the_cache_where_it_is(monkeypatch):
    monkeypatch.delenv("TOKENUNLEARN_CACHE", raising=False)
    usual = folders.cache_folder()
    monkeypatch.setenv("TOKENUNLEARN_CACHE", "")
    assert folders.cache_folder() == usual


def test_folders_of_someone_without_a_home_are_paths_as_written(monkeypatch):
    for variable in ("TOKENUNLEARN_CACHE", "TOKENUNLEARN_DATA"):
        monkeypatch.setenv(variable, "~nobody-of-this-name/here")
    assert folders.cache_folder() == data_folder() == Path("~nobody-of-this-name/here")


@pytest.mark.parametrize("unset", [None, ""])
def test_public_data_is_in_the_cache_where_no_folder_is_named(monkeypatch, tmp_path, unset):
    monkeypatch.setenv("TOKENUNLEARN_CACHE", str(tmp_path))
    monkeypatch.setenv("TOKENUNLEARN_DATA", str(tmp_path / "named"))
    assert data_folder() == tmp_path / "named"
    if unset is None:
        monkeypatch.delenv("TOKENUNLEARN_DATA")
    else:
        monkeypatch.setenv("TOKENUNLEARN_DATA", unset)
    assert data_folder() == tmp_path / "data"
