"""The ledger: which requests led to which model, and how well each is forgotten after the later ones."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tokenunlearn.errors import RunError, TokenUnlearnError

if TYPE_CHECKING:
    from tokenunlearn.models.loaded_model import LoadedModel
    from tokenunlearn.runs.run import Run

# Samples of each request that are measured after a run.
REQUEST_SAMPLES = 24


@dataclass(frozen=True)
class Request:
    """A request as it was measured after a run.

    Attributes:
        run: Id of the run that carried it out.
        samples: Name of its forget set.
        sha256: Hash of the whole set, see :func:`~tokenunlearn.datasets.files.samples_hash`; "" where it
            could not be loaded.
        size: Samples in the set.
        metric: "spans_recalled" or "probability", see :func:`~tokenunlearn.evaluation.recall.recall`; ""
            where nothing could be measured.
        value: The metric on the run's model, 0..1; low values are forgotten.
        low: Lower end of its 95 % interval.
        high: Upper end.
        n: Samples behind it.
        before: The metric on the model that the run started from.
        message: Why there is no value.
    """

    run: str
    samples: str
    sha256: str = ""
    size: int = 0
    metric: str = ""
    value: float | None = None
    low: float | None = None
    high: float | None = None
    n: int = 0
    before: float | None = None
    message: str = ""

    @property
    def text(self) -> str:
        """Value, interval and n: "0.04 (95 % CI 0.01 to 0.20, n = 24)"; or why there is no value."""
        if self.value is None:
            return self.message or "not measured"
        if self.low is None or self.high is None:
            return f"{self.value:.2f} (n = {self.n})"
        return f"{self.value:.2f} (95 % CI {self.low:.2f} to {self.high:.2f}, n = {self.n})"


def measure_requests(
    run: Run,
    before: LoadedModel,
    after: LoadedModel,
    limit: int = REQUEST_SAMPLES,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> list[Request]:
    """Measure the forget set of a run, and of every run before it, on the model before and after the run.

    A set that cannot be loaded any more, or does not fit the model, has a message in place of a value.

    Args:
        run: The run.
        before: The model that it started from.
        after: The model that it led to.
        limit: At most this many samples of each set, evenly spread.
        progress: Called after each batch with requests done and in all.

    Raises:
        RunError: If a run that it goes on from is gone.
    """
    lineage = run.lineage
    requests = []
    for done, earlier in enumerate(lineage):
        beat = partial(progress, done, len(lineage))
        beat()
        try:
            requests.append(_measured(earlier, before, after, limit, beat))
        except TokenUnlearnError as error:
            requests.append(Request(earlier.id, earlier.spec.samples, message=str(error)))
    return requests


def _measured(
    run: Run,
    before: LoadedModel,
    after: LoadedModel,
    limit: int,
    beat: Callable[[], None],
) -> Request:
    from tokenunlearn.datasets import load_samples
    from tokenunlearn.datasets.files import samples_hash
    from tokenunlearn.evaluation.recall import recall
    from tokenunlearn.models.context import fit_context

    samples = load_samples(run.spec.samples)
    fitted = fit_context(after, samples, run.spec.config.get("long", "error"))
    start, result = (recall(model, fitted, limit, lambda *_: beat()) for model in (before, after))
    low, high = result.interval or (None, None)
    return Request(
        run=run.id,
        samples=samples.name,
        sha256=samples_hash(samples),
        size=len(samples),
        metric=result.name,
        value=result.value,
        low=low,
        high=high,
        n=result.n,
        before=start.value,
    )


def set_title(name: str) -> str:
    """A set without the folders of its file: "requests.jsonl" for "file:/data/requests.jsonl"."""
    source, _, path = name.partition(":")
    return Path(path.partition("?")[0]).name if source in ("file", "documents") else name


@dataclass(frozen=True)
class Branch:
    """A run and the runs that go on from it directly, the earliest first."""

    run: Run
    later: Sequence[Branch] = ()

    def to_json(self) -> dict[str, Any]:
        """The branch as plain values."""
        spec, state = self.run.spec, self.run.state
        return {
            "run": self.run.id,
            "label": self.run.label,
            "samples": spec.samples,
            "created": spec.created,
            "status": state.status,
            "requests": [asdict(request) for request in self.run.requests],
            "later": [branch.to_json() for branch in self.later],
        }


def forest(runs: Sequence[Run]) -> Mapping[str, list[Branch]]:
    """Runs as trees, by the model that each tree starts from; runs without a readable spec are left out.

    A run that goes on from one that is not among these stands under its start model and that run's name.
    """
    readable = list(_readable(runs))
    ids = {run.id for run in readable}

    def branches(parent: str) -> list[Branch]:
        return [Branch(run, branches(run.id)) for run in readable if run.spec.adapter == parent]

    trees: dict[str, list[Branch]] = {}
    for run in readable:
        spec = run.spec
        if spec.adapter not in ids:
            start = f"{spec.model} + {spec.adapter}" if spec.adapter else spec.model
            trees.setdefault(start, []).append(Branch(run, branches(run.id)))
    return trees


def _readable(runs: Sequence[Run]) -> Iterator[Run]:
    for run in sorted(runs, key=lambda run: run.id):
        with suppress(RunError):
            run.spec  # noqa: B018
            yield run
