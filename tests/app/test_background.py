"""Tasks on a page: progress with what it waits for, Cancel, and a page that starts its own work again."""

import threading
from concurrent.futures import Future

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from app import background, services, tasks
from app.markdown import plain
from tests.app.app_pages import PATIENCE
from tests.waiting import wait_until


def page(by_itself):
    from app import background, services, tasks

    if by_itself:
        value = background.result(tasks.started("key", "Looking", services.work_of_the_test))
    else:
        value = background.wait_for("key")
    import streamlit as st

    st.text(f"value {value}")


@pytest.fixture
def gate(home, monkeypatch):
    gate = threading.Event()

    def work(task):
        while not gate.wait(0.01):
            task.progress(3, 9)
        return "done"

    monkeypatch.setattr(services, "work_of_the_test", work, raising=False)
    yield gate
    gate.set()


def test_a_page_shows_how_far_its_work_is_and_what_comes_of_it(gate):
    at = AppTest.from_function(page, args=(True,), default_timeout=PATIENCE).run()
    task = tasks.known()["key"]
    wait_until(lambda: task.total)
    at.run()
    assert any("Looking: 3 of 9" in element.value for element in at.get("html"))
    gate.set()
    wait_until(lambda: not task.running)
    at.run()
    assert [text.value for text in at.text] == ["value done"]


def test_cancelled_work_is_no_error_and_can_be_started_again(gate):
    at = AppTest.from_function(page, args=(True,), default_timeout=PATIENCE).run()
    task = tasks.known()["key"]
    wait_until(lambda: task.total)
    at.button(key="cancel-key").click().run()
    wait_until(lambda: not task.running)
    at.run()
    assert [caption.value for caption in at.caption] == ["Looking: cancelled"]
    assert not at.error and not at.exception
    gate.set()
    at.button(key="again-key").click().run()
    wait_until(lambda: not tasks.known()["key"].running)
    at.run()
    assert [text.value for text in at.text] == ["value done"]


def test_work_that_a_button_started_is_offered_by_that_button_alone(gate):
    task = tasks.start("key", "Looking", services.work_of_the_test)
    task.cancel()
    wait_until(lambda: not task.running)
    at = AppTest.from_function(page, args=(False,), default_timeout=PATIENCE).run()
    assert [caption.value for caption in at.caption] == ["Looking: cancelled"]
    assert not at.button


def page_with_a_button():
    import streamlit as st

    from app import background

    background.wait_for("key")
    if st.button("Go on", key="go-on"):
        st.text("went on")


@pytest.mark.parametrize("looks", range(4))
def test_no_click_is_lost_where_work_ends_while_the_page_is_drawn(gate, monkeypatch, looks):
    task = tasks.start("key", "Looking", services.work_of_the_test)
    at = AppTest.from_function(page_with_a_button, default_timeout=PATIENCE).run()
    left = iter([True] * looks)
    monkeypatch.setattr(tasks.Task, "running", property(lambda task: next(left, False)))
    gate.set()
    wait_until(task.future.done)
    at.button(key="go-on").click().run()
    assert [text.value for text in at.text] == ["went on"]


def test_what_ended_while_the_page_was_drawn_is_left_to_the_next_look(monkeypatch):
    runs = []
    monkeypatch.setattr(st, "rerun", lambda: runs.append("again"))
    first = ["the page itself"]
    background._look(lambda: False, first)
    assert runs == []
    background._look(lambda: True, first)
    assert runs == []
    background._look(lambda: False, first)
    assert runs == ["again"]


def test_the_name_of_cancelled_work_is_not_read_as_markup(home):
    task = tasks.Task("key", "Pushing :red[x] to a/b", Future(), cancelled=True)
    task.future.cancel()
    tasks.known()["key"] = task
    at = AppTest.from_function(page, args=(False,)).run()
    assert [caption.value for caption in at.caption] == [f"{plain(task.label)}: cancelled"]
