"""The page Present from the entry script: it works on first start, from a link, by its buttons."""

from __future__ import annotations

import shutil
from functools import partial

import pytest

from tests.app.app_pages import start_anew, visit
from tokenunlearn.folders import ASSETS


@pytest.fixture
def app(tmp_path, monkeypatch):
    """The app on an empty folder of runs."""
    monkeypatch.setenv("TOKENUNLEARN_RUNS", str(tmp_path))
    start_anew()
    return partial(visit, "present")


def slide(at):
    return " ".join(element.proto.body for element in at.get("html"))


def test_the_shipped_run_is_there_on_first_start(app):
    at = app()
    assert "Forget six authors" in slide(at)
    assert at.button(key="back").disabled
    at.button(key="next").click().run()
    assert "What it knew" in slide(at)
    assert at.query_params["slide"] == "knew"
    at.button(key="back").click().run()
    assert at.query_params["slide"] == "start"
    assert at.query_params["run"] == at.selectbox(key="run").value


def test_a_link_opens_its_slide(app):
    at = app(slide="open")
    assert "What this does not show" in slide(at)
    assert at.button(key="next").disabled


def test_the_run_of_a_link_wins_and_choosing_another_changes_the_link(app, tmp_path):
    shipped = next((ASSETS / "runs").iterdir())
    other = tmp_path / "20200101-000000-other"
    shutil.copytree(shipped, other)
    (other / "report.json").unlink()
    at = app(run=other.name, slide="checked")
    assert at.selectbox(key="run").value == other.name
    assert "no evaluation that shows" in slide(at)
    assert at.selectbox(key="run").options == [f"Forget six authors ({r.name})" for r in (shipped, other)]
    (other / "label.txt").write_text("Another run")
    at.run()
    assert at.selectbox(key="run").options == ["Forget six authors", "Another run"]
    at.selectbox(key="run").select(shipped.name).run()
    assert (at.query_params["run"], at.query_params["slide"]) == (shipped.name, "start")


def test_links_that_fit_nothing_open_the_beginning(app):
    at = app(slide="<script>", run="gone")
    assert "Forget six authors" in slide(at)
    assert [t.value for t in at.text] == ['There is no stored run "gone"; another one is shown.']
