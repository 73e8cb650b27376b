"""One thread owns model and device: it executes runs in order and serves requests between steps."""

from __future__ import annotations

import queue
import threading
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, TypeVar

from tokenunlearn.runs.runner import execute
from tokenunlearn.runs.store import Run

if TYPE_CHECKING:
    from tokenunlearn.models import LoadedModel

T = TypeVar("T")
MODELS_HELD = 3


class Worker:
    """A queue of runs and a queue of short requests, both served by one thread, first come first served.

    A request never waits for more than the step in progress: a running run serves what has arrived between
    steps.
    """

    def __init__(self) -> None:
        self._runs: queue.SimpleQueue[Run] = queue.SimpleQueue()
        self._requests: queue.SimpleQueue[tuple[Callable[[], Any], Future]] = queue.SimpleQueue()
        self._wake = threading.Event()
        self._models: OrderedDict[tuple[str, str], LoadedModel] = OrderedDict()
        self._thread = threading.Thread(target=self._loop, name="tokenunlearn-worker", daemon=True)
        self._thread.start()

    def submit(self, run: Run) -> None:
        """Queue a run; it starts when those before it have ended."""
        self._runs.put(run)
        self._wake.set()

    def ask(self, work: Callable[[], T]) -> Future[T]:
        """Have the worker's thread do something short with the device; the future carries result or error."""
        future: Future[T] = Future()
        self._requests.put((work, future))
        self._wake.set()
        return future

    def model(self, name: str, adapter: str = "") -> LoadedModel:
        """A loaded model, kept for the next call; the few most recently used ones stay in memory.

        Call it on the worker's own thread only: inside :meth:`ask` or a run.
        """
        from tokenunlearn.models import load_model

        key = (name, adapter)
        if key not in self._models:
            while len(self._models) >= MODELS_HELD:
                self._models.popitem(last=False)
            self._models[key] = load_model(name, adapter=adapter or None)
        self._models.move_to_end(key)
        return self._models[key]

    def _loop(self) -> None:
        while True:
            self._wake.wait()
            self._wake.clear()
            self._serve()
            while not self._runs.empty():
                execute(self._runs.get(), self.model, self._serve)
                self._serve()

    def _serve(self) -> None:
        """Do all short requests that have arrived."""
        while not self._requests.empty():
            work, future = self._requests.get()
            if not future.set_running_or_notify_cancel():
                continue
            try:
                future.set_result(work())
            except BaseException as error:
                future.set_exception(error)
