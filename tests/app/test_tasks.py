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


def test_work_aside_keeps_nobody_waiting_and_leaves_the_device_to_the_worker(home):
    gate = threading.Event()
    busy = tasks.start("busy", "Scoring", lambda task: gate.wait(30))
    wait_until(lambda: busy.future.running())
    aside = tasks.start(
        "aside", "Pushing", lambda task: tasks.on_worker(task, "writing", lambda: "written"), aside=True
    )
    wait_until(lambda: aside.phase)
    assert aside.text == "Pushing: waiting for: Scoring: starting"
    other = tasks.start("other", "Pushing", lambda task: "uploaded", aside=True)
    assert other.future.result(timeout=30) == "uploaded" and busy.running
    gate.set()
    assert aside.future.result(timeout=30) == "written"


def test_work_aside_is_cancelled_at_once_while_the_worker_is_busy(home):
    gate, ran = threading.Event(), []
    busy = tasks.start("busy", "Scoring", lambda task: gate.wait(30))
    wait_until(lambda: busy.future.running())
    aside = tasks.start(
        "aside", "Pushing", lambda task: tasks.on_worker(task, "writing", lambda: ran.append(1)), aside=True
    )
    aside.cancel()
    with pytest.raises(Cancelled):
        aside.future.result(timeout=30)
    gate.set()
    busy.future.result(timeout=30)
    assert ran == []


def test_what_can_no_longer_be_cancelled_says_what_it_does_and_ends(home):
    gate = threading.Event()

    def work(task):
        task.phase, task.final = "uploading", True
        gate.wait(30)
        return "uploaded"

    task = tasks.start("key", "Pushing", work, aside=True)
    wait_until(lambda: task.final)
    task.cancel()
    assert task.text == "Pushing: uploading"
    gate.set()
    assert task.future.result(timeout=30) == "uploaded"
