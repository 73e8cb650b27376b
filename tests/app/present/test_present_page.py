"""The page Present from the entry script: it works on first start, from a link, by its buttons."""

from __future__ import annotations

import shutil
from functools import partial

import pytest

from app import tasks
from app.chat import streamed_answers
from tests.app.app_pages import labeled_box, start_anew, visit
from tests.stored_run import write_run
from tokenunlearn.folders import ASSETS


@pytest.fixture
def app(tmp_path, monkeypatch):
    """The app on an empty folder of runs."""
    monkeypatch.setenv("TOKENUNLEARN_RUNS", str(tmp_path))
    start_anew()
    return partial(visit, "present")


def slide(at):
    """The slide on the screen, without those for the printer."""
    (deck,) = [e.proto.body for e in at.get("html") if '<section class="slide sl' in e.proto.body]
    return deck.partition('<div class="paper"')[0].partition("</style>")[2]


def test_the_shipped_run_is_there_on_first_start(app):
    at = app()
    assert "Forget six authors" in slide(at)
    assert at.button(key="back").disabled
    at.button(key="next").click().run()
    assert "What it knew" in slide(at)
    assert at.query_params["slide"] == "knew"
    at.button(key="back").click().run()
    assert at.query_params["slide"] == "start"
    assert at.query_params["run"] == labeled_box(at, "Run").value


def test_a_link_to_a_run_without_answers_says_that_these_are_missing(app, tmp_path):
    run = write_run(tmp_path, "20260101-100000-npo-hard-0001", "a run")
    (run.folder / "generations.json").unlink()
    at = app(run=run.id)
    sentence = f'⚠ The run "{run.id}" has no stored answers, so Forget six authors is shown.'
    assert sentence in [t.value for t in at.text]


def test_a_link_opens_its_slide_and_its_title(app):
    at = app(slide="open", title="<b>Ours</b>")
    assert "What we did not test" in slide(at)
    assert at.text_input(key="title").value == "<b>Ours</b>"
    at.button(key="next").click().run()
    assert at.button(key="next").disabled
    assert at.query_params["title"] == ["<b>Ours</b>"] or at.query_params["title"] == "<b>Ours</b>"
    assert "&lt;b&gt;Ours&lt;/b&gt;" in slide(app(title="<b>Ours</b>"))


def test_the_last_slide_asks_the_models_under_plain_names(app, monkeypatch):
    monkeypatch.setattr(tasks, "start", lambda *_: pytest.fail("a link asks a model"))
    at = app(slide="ask", ask="Who are you?")
    assert "Ask it yourself" in slide(at)
    assert at.text_input(key="ask").value == "Who are you?"
    asked = []
    monkeypatch.setattr(streamed_answers, "ask", lambda models, prompt: asked.append((models, prompt)))
    at.button(key="suggested-0").click().run()
    ((models, prompt),) = asked
    assert "retrained" in models[-1].name
    assert prompt.question == at.text_input(key="ask").value
    shown = " ".join(element.proto.body for element in at.get("html"))
    assert all(name in shown for name in ("Before", "Now", "A model that never saw it"))


def test_the_run_of_a_link_wins_and_choosing_another_changes_the_link(app, tmp_path):
    shipped = next((ASSETS / "runs").iterdir())
    other = tmp_path / "20200101-000000-other"
    shutil.copytree(shipped, other)
    (other / "report.json").unlink()
    at = app(run=other.name, slide="checked")
    assert labeled_box(at, "Run").value == other.name
    assert "no evaluation that shows" in slide(at)
    assert labeled_box(at, "Run").options == [f"Forget six authors ({r.name})" for r in (shipped, other)]
    (other / "label.txt").write_text("Another run")
    at.run()
    assert labeled_box(at, "Run").options == ["Forget six authors", "Another run"]
    labeled_box(at, "Run").select(shipped.name).run()
    assert (at.query_params["run"], at.query_params["slide"]) == (shipped.name, "start")
    last = labeled_box(at, "Run").id
    at.query_params["run"] = other.name
    at.run()
    assert labeled_box(at, "Run").value == other.name
    assert labeled_box(at, "Run").id != last  # what a browser still says of the last box is no choice


def test_links_that_fit_nothing_open_the_beginning(app):
    at = app(slide="<script>", run="gone")
    assert "Forget six authors" in slide(at)
    assert [t.value for t in at.text] == [
        '⚠ There is no run "gone", so Forget six authors is shown.',
        '⚠ There is no slide "<script>", so the first one is shown.',
    ]
