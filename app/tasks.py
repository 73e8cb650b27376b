"""Short work that the worker does for a page: started by key, found again by any visitor, cancelled."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import streamlit as st

from app import access
from tokenunlearn.errors import AccessError, Cancelled, TokenUnlearnError
from tokenunlearn.runs.launch import RunProcess, end_process, launch
from tokenunlearn.runs.run import Run
from tokenunlearn.runs.worker import Worker

DEMO_TASKS = 8  # tasks that may wait at once in the demo


@dataclass
class Task:
    """Something short that the worker does for a page.

    Attributes:
        key: What it is found by.
        label: What it is, for the progress bar.
        future: Its result or error.
        done: Units done.
        total: Units in all; 0 while unknown.
        cancelled: Whether someone asked it to stop.
    """

    key: str
    label: str
    future: Future[Any] | None = None
    done: int = 0
    total: int = 0
    cancelled: bool = False
    started: float = field(default_factory=time.monotonic)

    def progress(self, done: int, total: int) -> None:
        """Take progress from the worker's thread.

        Raises:
            Cancelled: If someone asked it to stop.
        """
        self.done, self.total = done, total
        if self.cancelled:
            raise Cancelled

    def cancel(self) -> None:
        """End it: at once while it waits for the device, else at its next unit of progress."""
        self.cancelled = True
        if self.future is not None:
            self.future.cancel()

    @property
    def text(self) -> str:
        """What it is, and how far it is or what it waits for."""
        if self.cancelled:
            return f"{self.label}: stopping"
        if self.total:
            return f"{self.label}: {self.done:,} of {self.total:,}"
        if self.future is None or self.future.running():
            return f"{self.label}: starting"
        before, doing = worker().before(self.future), worker().doing()
        place = f" ({before} task{'s' if before > 1 else ''} before this one)" if before else ""
        return f"{self.label}: waiting for: {doing or 'the device'}{place}"

    @property
    def running(self) -> bool:
        """Whether it has not ended."""
        return self.future is not None and not self.future.done()


@st.cache_resource
def worker() -> Worker:
    """The one thread that owns model and device, for all visitors."""
    return Worker()


@st.cache_resource
def known() -> dict[str, Task]:
    """Tasks by key, for all visitors; a refresh finds them again."""
    return {}


def start(key: str, label: str, work: Callable[[Task], Any], action: access.Action = "start") -> Task:
    """Hand work to the worker unless the same key is running already.

    Raises:
        AccessError: If the visitor may not do this.
    """
    access.require(action)
    running = known().get(key)
    if running is not None and running.running:
        return running
    if access.is_demo() and sum(task.running for task in known().values()) >= DEMO_TASKS:
        raise AccessError("The demo is busy; try again in a minute.")
    task = Task(key, label)
    task.future = worker().ask(lambda: work(task), lambda: task.text)
    known()[key] = task
    return task


def started(key: str, label: str, work: Callable[[Task], Any], action: access.Action = "start") -> Task:
    """The task of a key, which is started where there is none.

    Raises:
        AccessError: If the visitor may not do this.
    """
    return known().get(key) or start(key, label, work, action)


def detach(runs: Sequence[Run]) -> None:
    """Have a process of their own carry out runs; where it does not come up, they fail and say why."""

    def work() -> None:
        with suppress(TokenUnlearnError):
            launch(runs)

    threading.Thread(target=work, name="tokenunlearn-launch").start()


def stop(run: Run) -> None:
    """Stop a run, and end its process if it has one of its own and does not stop.

    Raises:
        RunError: If it has ended already.
    """
    worker().cancel(run)
    if RunProcess.of(run) and not run.own:
        threading.Thread(target=end_process, args=(run,), name="tokenunlearn-stop", daemon=True).start()


def forget(task: Task) -> None:
    """Drop an ended task, so that the page that started it starts it again."""
    known().pop(task.key, None)


def cancel(task: Task) -> None:
    """End a task at once while it waits for the device, else at its next unit of progress."""
    access.require("cancel")
    task.cancel()
