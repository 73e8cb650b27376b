"""One thread owns model and device: it executes runs in order and serves requests between steps."""

from __future__ import annotations

import os
import queue
import shutil
import threading
from collections import OrderedDict, deque
from collections.abc import Callable
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, TypeVar

from tokenunlearn.errors import RunError
from tokenunlearn.models.source import ModelSource
from tokenunlearn.runs.run import Run
from tokenunlearn.runs.runner import execute

if TYPE_CHECKING:
    from tokenunlearn.models.loaded_model import LoadedModel

T = TypeVar("T")
MODELS_HELD = 3


class Worker:
    """A queue of runs and a queue of short requests, both served by one thread, first come first served.

    A request never waits for more than the step in progress: a running run serves what has arrived between
    steps.
    """

    def __init__(self) -> None:
        self._runs: deque[Run] = deque()
        self._discarded: set[Run] = set()
        self._lock = threading.Lock()  # over both
        self._requests: queue.SimpleQueue[tuple[Callable[[], Any], Future]] = queue.SimpleQueue()
        self._wake = threading.Event()
        self._models: OrderedDict[ModelSource, LoadedModel] = OrderedDict()
        self._thread = threading.Thread(target=self._loop, name="tokenunlearn-worker", daemon=True)
        self._thread.start()

    def submit(self, run: Run) -> None:
        """Queue a run; it starts when those before it have ended."""
        with self._lock:
            self._runs.append(run)
        self._wake.set()

    def waiting(self) -> list[Run]:
        """Runs that have not been begun, the next one first."""
        with self._lock:
            return list(self._runs)

    def cancel(self, run: Run) -> None:
        """End a waiting run at once, and have any other stop after the step it is in.

        Raises:
            RunError: If it has ended already.
        """
        with self._lock:
            waits = run in self._runs
            if waits:
                self._runs.remove(run)
        if waits:
            run.set_state(status="cancelled", message="Cancelled before it started.")
        else:
            run.request_cancel()

    def discard(self, run: Run) -> None:
        """Cancel a run and remove its folder once it has stopped.

        Raises:
            RunError: If it has ended already, or another process runs it.
        """
        if run.state.pid != os.getpid():
            raise RunError(f'The run "{run.id}" belongs to another process; cancel it, then delete it.')
        self.cancel(run)
        with self._lock:
            self._discarded.add(run)
        self._wake.set()

    def ask(self, work: Callable[[], T]) -> Future[T]:
        """Have the worker's thread do something short with the device; the future carries result or error."""
        future: Future[T] = Future()
        self._requests.put((work, future))
        self._wake.set()
        return future

    def model(self, source: ModelSource) -> LoadedModel:
        """A loaded model, kept for the next call; the few most recently used ones stay in memory.

        Call it on the worker's own thread only: inside :meth:`ask` or a run.
        """
        if source not in self._models:
            while len(self._models) >= MODELS_HELD:
                self._models.popitem(last=False)
            self._models[source] = source.load()
        self._models.move_to_end(source)
        return self._models[source]

    def _loop(self) -> None:
        """Execute queued runs in order, and serve short requests before, between and during them."""
        while True:
            self._wake.wait()
            self._wake.clear()
            self.serve()
            while (run := self._next()) is not None:
                execute(run, lambda run: self.model(run.start), self.serve)
                self._sweep()
                self.serve()
            self._sweep()

    def _next(self) -> Run | None:
        """The run that is to begin now, taken off the queue."""
        with self._lock:
            return self._runs.popleft() if self._runs else None

    def _sweep(self) -> None:
        """Remove the folders of discarded runs that have stopped."""
        with self._lock:
            gone = {run for run in self._discarded if not run.state.active}
            self._discarded -= gone
        for run in gone:
            shutil.rmtree(run.folder, ignore_errors=True)

    def serve(self) -> None:
        """Do all short requests that have arrived; long work on this thread calls it between its steps."""
        while not self._requests.empty():
            work, future = self._requests.get()
            if not future.set_running_or_notify_cancel():
                continue
            try:
                future.set_result(work())
            except BaseException as error:
                future.set_exception(error)
