"""Short work for a page is started once at a time, says what it waits for, and can be cancelled."""

from __future__ import annotations

import threading

import pytest

from app import tasks
from tests.waiting import wait_until
from tokenunlearn.errors import Cancelled


def test_the_same_task_is_started_once_at_a_time(home):
    gate, ran = threading.Event(), []

    def work(task):
        ran.append(task)
        gate.wait(30)

    first = tasks.start("key", "Working", work)
    assert tasks.start("key", "Working", work) is first
    assert first.running
    gate.set()
    wait_until(lambda: not first.running)
    assert ran == [first]
    second = tasks.start("key", "Working", work)
    assert second is not first
    wait_until(lambda: not second.running)


def test_a_task_is_cancelled_at_its_next_unit_and_at_once_while_it_waits(home):
    gate, units = threading.Event(), []

    def work(task):
        for done in range(100):
            units.append(done)
            task.progress(done, 100)
            gate.wait(30)

    running = tasks.start("one", "Working", work)
    wait_until(lambda: running.total)
    waiting = [tasks.start(key, f"Waiting {key}", work) for key in ("two", "three")]
    assert running.text == "Working: 0 of 100"
    assert waiting[0].text == "Waiting two: waiting for: Working: 0 of 100"
    assert waiting[1].text == "Waiting three: waiting for: Working: 0 of 100 (1 task before this one)"
    for task in waiting:
        task.cancel()
        assert task.future.cancelled()
    running.cancel()
    assert running.text == "Working: stopping"
    gate.set()
    with pytest.raises(Cancelled):
        running.future.result(timeout=30)
    assert units == [0, 1]
