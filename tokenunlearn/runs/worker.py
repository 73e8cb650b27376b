"""One thread owns model and device: it executes runs in order and serves requests between steps."""

from __future__ import annotations

import gc
import logging
import threading
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from tokenunlearn.errors import RunError
from tokenunlearn.models.source import ModelSource
from tokenunlearn.runs.run import Run
from tokenunlearn.runs.runner import end, end_cancelled, execute
from tokenunlearn.runs.state import RunState
from tokenunlearn.runs.store import RunStore

if TYPE_CHECKING:
    from tokenunlearn.models.loaded_model import LoadedModel

logger = logging.getLogger(__name__)
T = TypeVar("T")
About = Callable[[], str]
MODELS_HELD = 4  # as many as a chat asks at once


class Worker:
    """A queue of runs and a queue of short requests, both served by one thread, first come first served.

    A request never waits for more than the step in progress: a running run serves what has arrived between
    steps.
    """

    def __init__(self) -> None:
        self._runs: deque[Run] = deque()
        self._discarded: set[Run] = set()
        self._unstored: dict[Run, RunState] = {}
        self._lock = threading.Lock()  # over all three
        self._requests: deque[_Request] = deque()
        self._doing: list[About] = []  # what is in progress, the innermost last
        self._wake = threading.Event()
        self._models: OrderedDict[ModelSource, tuple[str, LoadedModel]] = OrderedDict()  # with revisions
        self._thread = threading.Thread(target=self._loop, name="tokenunlearn-worker", daemon=True)
        self._thread.start()

    def submit(self, run: Run) -> None:
        """Queue a run; it starts when those before it have ended.

        Raises:
            RunError: If another process carries it out.
        """
        run.take()
        self.forget(run)
        with self._lock:
            self._runs.append(run)
        self._wake.set()

    def waiting(self) -> list[Run]:
        """Runs that have not been begun, the next one first."""
        with self._lock:
            return list(self._runs)

    def state(self, run: Run) -> RunState:
        """Where a run is, also if its folder could not be written when it ended."""
        return self.unstored().get(run) or run.state

    def unstored(self) -> dict[Run, RunState]:
        """Runs that ended here and whose folder could not be written, with their final states."""
        with self._lock:
            return dict(self._unstored)

    def forget(self, run: Run) -> None:
        """No longer hold the final state of a run."""
        with self._lock:
            self._unstored.pop(run, None)

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
            self._note(run, end_cancelled(run, "Cancelled before it started."))
        else:
            run.request_cancel()

    def discard(self, run: Run) -> None:
        """Cancel a run and remove its folder once it has stopped.

        Raises:
            RunError: If it has ended already, another process runs it, or another run goes on from it.
        """
        RunStore(run.folder.parent).check_last(run)
        if run.state.active and not run.own:
            raise RunError(f'The run "{run.id}" belongs to another process; cancel it, then delete it.')
        self.cancel(run)
        with self._lock:
            self._discarded.add(run)
        self.ask(self._sweep, lambda: "removing a run")

    def ask(self, work: Callable[[], T], about: About = lambda: "another task") -> Future[T]:
        """Have the worker's thread do something short with the device.

        Args:
            work: What to do.
            about: Says what it is and how far it is, to those who wait for it.

        Returns:
            Carries result or error; cancel it to give up a request that still waits.
        """
        request = _Request(work, about)
        self._requests.append(request)
        self._wake.set()
        return request.future

    def doing(self) -> str:
        """What the worker's thread does now; "" for nothing."""
        doing = self._doing[-1:]
        return doing[0]() if doing else ""

    def before(self, future: Future[Any]) -> int:
        """How many requests are served before the one of a future."""
        waiting = [r.future for r in list(self._requests) if not r.future.cancelled()]
        return waiting.index(future) if future in waiting else 0

    def model(self, source: ModelSource) -> LoadedModel:
        """A loaded model, kept for the next call; the few most recently used ones stay in memory.

        It is loaded again where its weights have changed, as those of a resumed run do. Call it on the
        worker's own thread only: inside :meth:`ask` or a run.
        """
        revision = source.revision
        held = self._models.pop(source, None)
        if held is None or held[0] != revision:
            held = None
            while len(self._models) >= MODELS_HELD:
                self._models.popitem(last=False)
            gc.collect()  # a model may lie in a circle of references
            held = revision, source.load()
        self._models[source] = held
        return held[1]

    def _loop(self) -> None:
        """Execute queued runs in order, and serve short requests before, between and during them."""
        while True:
            self._wake.wait()
            self._wake.clear()
            self._guarded(self.serve)
            while (run := self._next()) is not None:
                self._guarded(partial(self._carry_out, run))
                self._guarded(self._sweep)
                self._guarded(self.serve)

    def _guarded(self, work: Callable[[], None]) -> None:
        """Work whose fault, whatever it is, does not end the thread."""
        try:
            work()
        except BaseException:
            with suppress(BaseException):
                logger.exception("The worker met a fault and goes on.")

    def _carry_out(self, run: Run) -> None:
        """Execute a run, and keep its final state where its folder cannot."""
        try:
            with self._in_progress(partial(_about, run)):
                state = execute(run, self.model, self.serve)
        except BaseException as error:  # what only ends a process elsewhere, such as an exit
            state = end(run, status="failed", message=f"{type(error).__name__}: {str(error)[:300]}")
        self._note(run, state)

    def _note(self, run: Run, state: RunState) -> None:
        if run.state != state:
            with self._lock:
                self._unstored[run] = state

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
            self.forget(run)
            with suppress(RunError):
                RunStore(run.folder.parent).delete(run.id)

    def serve(self) -> None:
        """Do all short requests that have arrived; long work on this thread calls it between its steps."""
        while self._requests:
            request = self._requests.popleft()
            if not request.future.set_running_or_notify_cancel():
                continue
            with self._in_progress(request.about):
                try:
                    request.future.set_result(request.work())
                except BaseException as error:
                    request.future.set_exception(error)

    @contextmanager
    def _in_progress(self, about: About) -> Iterator[None]:
        self._doing.append(about)
        try:
            yield
        finally:
            self._doing.pop()


@dataclass(eq=False)
class _Request:
    """Something short to do, and who waits for it."""

    work: Callable[[], Any]
    about: About
    future: Future[Any] = field(default_factory=Future)


def _about(run: Run) -> str:
    """Which run is in progress, and how far it is."""
    state = run.state
    if not state.total:
        return f"{run.label}, starting"
    unit = "step" if state.phase == "training" else state.phase
    return f"{run.label}, {unit} {state.done:,} of {state.total:,}"
