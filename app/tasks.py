"""Short work that the worker does for a page: started by key, found again by any visitor, cancelled."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, wait
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, TypeVar

import streamlit as st

from app import access
from tokenunlearn.errors import AccessError, Cancelled, TokenUnlearnError
from tokenunlearn.runs.launch import RunProcess, end_process, launch
from tokenunlearn.runs.run import Run
from tokenunlearn.runs.worker import Worker

T = TypeVar("T")

POLL = 0.1  # seconds between two looks at work that the worker does for a task aside
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
        phase: What it does where it has no units, or "".
        final: Whether it can no longer be cancelled.
    """

    key: str
    label: str
    future: Future[Any] | None = None
    done: int = 0
    total: int = 0
    cancelled: bool = False
    phase: str = ""
    final: bool = False
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
        if self.final:
            return
        self.cancelled = True
        if self.future is not None:
            self.future.cancel()

    @property
    def text(self) -> str:
        """What it is, and how far it is or what it waits for."""
        if self.cancelled:
            return f"{self.label}: stopping"
        if self.phase:
            return f"{self.label}: {self.phase}"
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


def start(
    key: str, label: str, work: Callable[[Task], Any], action: access.Action = "start", *, aside: bool = False
) -> Task:
    """Hand work to the worker unless the same key is running already.

    Args:
        key: What it is found by.
        label: What it is.
        work: What to do; its result is the task's.
        action: What the visitor must be allowed to do.
        aside: Do it in a thread of its own: it waits for the network, not for the device.

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
    if aside:
        task.future = _in_thread(lambda: work(task))
    else:
        task.future = worker().ask(lambda: work(task), lambda: task.text)
    known()[key] = task
    return task


def _in_thread(work: Callable[[], T]) -> Future[T]:
    future: Future[T] = Future()
    future.set_running_or_notify_cancel()

    def run() -> None:
        try:
            future.set_result(work())
        except Exception as error:  # it is the task's, whoever looks at it
            future.set_exception(error)

    threading.Thread(target=run, name="tokenunlearn-aside", daemon=True).start()
    return future


def on_worker(task: Task, phase: str, work: Callable[[], T]) -> T:
    """The result of work that a task aside leaves to the worker; cancelled at once while that is busy.

    Raises:
        Cancelled: If someone asked the task to stop before this work ended.
    """
    future = worker().ask(work, lambda: task.text)
    while not wait([future], POLL).done:
        waiting = f"waiting for: {worker().doing() or 'the device'}"
        task.phase = phase if future.running() else waiting
        if task.cancelled and future.cancel():
            raise Cancelled
    result = future.result()
    if task.cancelled:
        raise Cancelled
    return result


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
