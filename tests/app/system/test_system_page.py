"""The page System: true figures, what waits in order, and no value of a secret."""

from __future__ import annotations

import sys
from concurrent.futures import Future

import pytest

from app import access, services, tasks
from app.system import facts, panels
from tests.app.app_pages import shown
from tests.runs.new_runs import new_spec
from tests.waiting import wait_until

SECRET = "a-secret-of-24-characters"


@pytest.fixture
def queued(home):
    spec = new_spec("authors:forget10", label="<b>first</b>", model="demo")
    run = services.store().create(spec)
    yield run
    run.set_state(status="cancelled")


def test_the_page_shows_device_memory_disk_and_versions(open_page):
    at = open_page("system")
    wait_until(lambda: not any(task.running for task in tasks.known().values()))
    everything = shown(at.run())
    for word in ("cpu", "this process", "free for runs", "torch", "streamlit", "localhost", "sign-in"):
        assert word in everything
    assert not tasks.worker()._models


def test_memory_leaves_torch_alone_while_the_worker_imports_it(home, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)  # an import fails
    tasks.known()[panels.DEVICE] = tasks.Task(panels.DEVICE, "Looking", Future())
    assert facts.memory(imported=False)
    panels.memory()
    tasks.known().clear()


def test_what_waits_is_listed_and_labels_are_text(open_page, queued):
    everything = shown(open_page("system"))
    assert "&lt;b&gt;first&lt;/b&gt;" in everything and "<b>first" not in everything


def test_tasks_stand_in_the_order_in_which_they_came_and_ended_ones_are_gone(home):
    ended = Future()
    ended.set_result(None)
    waiting = [
        tasks.Task("2", "second", Future(), started=2.0),
        tasks.Task("1", "first", Future(), started=1.0),
        tasks.Task("0", "ended", ended, started=0.0),
    ]
    assert facts.queue([], waiting) == [("page", "first"), ("page", "second")]


def test_a_long_queue_is_cut_and_counted(home):
    waiting = [tasks.Task(str(i), str(i), Future(), started=float(i)) for i in range(facts.LISTED + 3)]
    rows = facts.queue([], waiting)
    assert len(rows) == facts.LISTED + 1 and rows[-1] == ("", "and 3 more")


@pytest.mark.parametrize("name", facts.SECRETS)
def test_of_a_secret_the_page_says_only_that_it_is_set(home, monkeypatch, name):
    monkeypatch.setenv(name, SECRET)
    monkeypatch.setattr(access, "visitor_role", lambda: "runner")
    rows = facts.settings()
    assert (name, "set") in rows and SECRET not in str(rows)


def test_a_viewer_sees_no_paths_of_the_machine(home, monkeypatch):
    monkeypatch.setattr(access, "visitor_role", lambda: "viewer")
    assert str(home.parent) not in str(facts.settings() + facts.disk())


def test_sizes_count_files_of_subfolders_and_none_for_a_missing_folder(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "b").write_bytes(b"x" * 1000)
    (tmp_path / "gone").symlink_to(tmp_path / "nowhere")
    assert facts.folder_size(str(tmp_path)) >= 1000
    assert facts.folder_size(str(tmp_path / "none")) == 0


def test_panels_escape_names_and_texts():
    html = panels.table_html("<i>", [("<a>", "<b>&")])
    assert "<i>" not in html and "<a>" not in html and "&lt;b&gt;&amp;" in html
