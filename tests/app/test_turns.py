"""Pages are drawn one at a time, and leave the worker as much time as they take."""

import threading
import time

import pytest

from app import tasks, turns


@pytest.fixture(autouse=True)
def fresh(monkeypatch):
    turns._turn.clear()
    yield
    turns._turn.clear()


def drawn(count, seconds):
    """When each of some pages that are opened at once begins and ends, in order."""
    times = []

    def page():
        with turns.turn():
            begun = time.monotonic()
            time.sleep(seconds)
            times.append((begun, time.monotonic()))

    threads = [threading.Thread(target=page) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sorted(times)


def at_work(monkeypatch, doing):
    """Have the worker do something, or nothing; the pauses that pages then leave it, in seconds."""
    pauses = []

    class Timer(threading.Timer):
        def __init__(self, pause, release):
            pauses.append(pause)
            super().__init__(pause, release)

    monkeypatch.setattr(threading, "Timer", Timer)
    monkeypatch.setattr(tasks, "worker", lambda: type("W", (), {"doing": lambda self: doing})())
    return pauses


def test_pages_are_drawn_one_after_the_other(monkeypatch):
    pauses = at_work(monkeypatch, "")
    (_, first), (second, _) = drawn(2, 0.1)
    assert second >= first
    assert pauses == [0, 0]


@pytest.mark.slow
def test_beside_a_run_the_next_page_waits_as_long_as_the_last_one_took(monkeypatch):
    at_work(monkeypatch, "a run")
    (_, first), (second, _) = drawn(2, 0.2)
    assert second - first >= 0.19


def test_a_page_that_goes_on_keeps_no_other_waiting(monkeypatch):
    at_work(monkeypatch, "")
    monkeypatch.setattr(turns, "PATIENCE", 0.05)
    begun = threading.Event()

    def other():
        with turns.turn():
            begun.set()

    with turns.turn():
        threading.Thread(target=other).start()
        assert begun.wait(60)


def test_a_page_that_fails_ends_its_turn(monkeypatch):
    at_work(monkeypatch, "")
    with pytest.raises(ZeroDivisionError), turns.turn():
        raise ZeroDivisionError
    assert turns._turn().acquire(timeout=60)
