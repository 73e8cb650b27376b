"""Runs on disk: one folder a run, written by one process, readable by any.

runs/ID/spec.json         frozen when the run is made
runs/ID/state.json        status, phase, step; replaced as a whole
runs/ID/metrics.jsonl     one line a step
runs/ID/watched.jsonl     facts still recalled, answers and memory at intervals, if it was watched
runs/ID/scores.parquet    the score set behind the weights
runs/ID/resolved.json     the configuration as it was carried out, and which modules were trained
runs/ID/tokens.parquet    NLL and rank of every token of the forget set before and after, and its weight
runs/ID/generations.json  answers before and after
runs/ID/requests.json     how well its forget set, and those of the runs before it, are forgotten
runs/ID/report.json       evaluation, if there was one
runs/ID/adapter/          what the run changed
runs/ID/label.txt         what a person calls the run now; the spec keeps the first label
runs/ID/cancel            there once someone asked to stop
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Literal, TypedDict

from tokenunlearn.attribution.score_set import ScoreSet
from tokenunlearn.errors import FileError, RunError, TokenUnlearnError
from tokenunlearn.evaluation.report import ReportValues, read_report
from tokenunlearn.evaluation.token_changes import TokenChange, load_changes
from tokenunlearn.evaluation.watch import Watched
from tokenunlearn.files import replaced, sync
from tokenunlearn.folders import user_path
from tokenunlearn.models.source import ModelSource
from tokenunlearn.runs.ledger import Request
from tokenunlearn.runs.spec import RunSpec
from tokenunlearn.stored import read_json, read_lines, read_text

Status = Literal["queued", "running", "completed", "failed", "cancelled", "damaged"]
ACTIVE = ("queued", "running")
# What a run has measured and said; its weights are not shipped.
SHIPPED_FILES = (
    "spec.json",
    "state.json",
    "metrics.jsonl",
    "watched.jsonl",
    "scores.parquet",
    "resolved.json",
    "tokens.parquet",
    "generations.json",
    "requests.json",
    "report.json",
)
LONGEST_LABEL = 80
START_REPORT = "start_report.json"


class _Step(TypedDict):
    step: float


class StepRecord(_Step, total=False):
    """What one step measured, and more: NLL and losses in nats, seconds since the first step."""

    forget_nll: float | None
    retain_loss: float | None
    loss: float | None
    seconds: float | None


class AnswerPair(TypedDict):
    """A question of a run's samples with its answer, and what the model answers before and after the run."""

    sample_id: str
    question: str
    answer: str
    before: str
    after: str


@dataclass(frozen=True)
class RunState:
    """Where a run is.

    Attributes:
        status: queued, running, completed, failed or cancelled; damaged where it cannot be read.
        phase: What a running run does: loading, scoring, reference, training, generating, evaluating.
        done: Units of the phase that are done; steps in training.
        total: Units of the phase.
        message: Why it failed, or what a reader should know.
        started: UTC time, ISO 8601, or "".
        ended: UTC time, ISO 8601, or "".
        pid: Process that runs it.
    """

    status: Status
    phase: str = ""
    done: int = 0
    total: int = 0
    message: str = ""
    started: str = ""
    ended: str = ""
    pid: int = 0

    @property
    def active(self) -> bool:
        """Whether it is still to end."""
        return self.status in ACTIVE


@dataclass(frozen=True)
class Run:
    """A run's folder; every property reads what is on disk now.

    A damaged spec or state makes the whole run a damaged one. Any other damaged file of measurements counts
    as one that is not there, and :attr:`damage` says so.
    """

    folder: Path

    @property
    def id(self) -> str:
        """The run's id."""
        return self.folder.name

    @property
    def spec(self) -> RunSpec:
        """The frozen spec.

        Raises:
            RunError: If the folder holds no readable spec.
        """
        try:
            return RunSpec.read(self.folder / "spec.json")
        except FileError as error:
            raise self._damaged(error) from None

    @property
    def state(self) -> RunState:
        """The state on disk; one whose process has gone is failed, or cancelled where it still waited.

        A run that cannot be read is damaged, unless a process still carries it out.
        """
        try:
            state: RunState = read_json(self.folder / "state.json", RunState)
            if not (state.active and _alive(state.pid)):
                _ = self.spec
        except FileError as error:
            return RunState("damaged", message=str(self._damaged(error)))
        except RunError as error:
            return RunState("damaged", message=str(error))
        if not state.active or _alive(state.pid):
            return state
        if state.status == "queued":
            gone = "The server stopped before this run started. Start it again."
            return replace(state, status="cancelled", message=gone)
        return replace(state, status="failed", message="The process stopped before this run finished.")

    @property
    def parent(self) -> Run | None:
        """The run that this one goes on from; None for one that starts from a model or a foreign adapter.

        Raises:
            RunError: If it is gone.
        """
        if not self.spec.adapter:
            return None
        folder = self._adapter_place
        if not os.path.isdir(folder):
            raise RunError(f'The run "{self.id}" goes on from "{self.spec.adapter}", which is gone.')
        return Run(folder) if os.path.isfile(folder / "spec.json") else None

    @property
    def lineage(self) -> list[Run]:
        """The runs that led to this one's model, the earliest first, itself last.

        Raises:
            RunError: If one of them is gone, or they form a circle.
        """
        runs = [self]
        while (parent := runs[0].parent) is not None:
            if parent in runs:
                raise RunError(f'The run "{self.id}" goes on from itself.')
            runs.insert(0, parent)
        return runs

    @property
    def start(self) -> ModelSource:
        """The model that it starts from, which is its reference model.

        Raises:
            RunError: If a run that it goes on from is gone.
        """
        first, *_ = lineage = self.lineage
        own = [first._adapter_place] if first.spec.adapter else []
        folders = [str(path) for path in (*own, *(run.folder / "adapter" for run in lineage[:-1]))]
        return ModelSource(self.spec.model, tuple(folders), self.spec.template_kwargs, self.spec.quantization)

    @property
    def result(self) -> ModelSource:
        """The model that it leads to; its adapter need not be there yet.

        Raises:
            RunError: If a run that it goes on from is gone.
        """
        return self.start.adapted(self.folder / "adapter")

    @property
    def _adapter_place(self) -> Path:
        return Path(os.path.normpath(self.folder.absolute().parent / self.spec.adapter))

    @property
    def metrics(self) -> list[StepRecord]:
        """The records of all steps so far."""
        records: list[StepRecord] = (self._read("metrics.jsonl") or ([], 0))[0]
        return records

    @property
    def watched(self) -> list[Watched]:
        """What was measured between steps so far."""
        records: list[Watched] = (self._read("watched.jsonl") or ([], 0))[0]
        return records

    @property
    def scores(self) -> ScoreSet | None:
        """The score set behind its weights, if it has one.

        Raises:
            ScoreSetError: If the file cannot be read: other weights are never put in their place.
        """
        path = self.folder / "scores.parquet"
        return ScoreSet.load(path) if os.path.lexists(path) else None

    @property
    def resolved(self) -> dict[str, Any]:
        """The configuration with every "auto" decided, and the modules that were trained; {} before that."""
        return self._read("resolved.json") or {}

    @property
    def token_changes(self) -> list[TokenChange] | None:
        """What it did to every token of the forget set, if it came that far.

        Raises:
            FileError: If the file cannot be read.
        """
        path = self.folder / "tokens.parquet"
        return load_changes(path) if os.path.lexists(path) else None

    @property
    def label(self) -> str:
        """What a person calls the run: the label given last, else the spec's, else the run's id."""
        try:
            return _short(self._read("label.txt") or "") or self.spec.label
        except RunError:
            return self.id

    def rename(self, label: str) -> None:
        """Give the run another label; the frozen spec stays as it is, and "" brings its label back."""
        label = _short(label)
        if label and label != self.spec.label:
            with replaced(self.folder / "label.txt") as file:
                file.write(label.encode())
        else:
            (self.folder / "label.txt").unlink(missing_ok=True)

    @property
    def generations(self) -> dict[str, list[AnswerPair]]:
        """Answers before and after, by part."""
        return self._read("generations.json") or {}

    @property
    def requests(self) -> list[Request]:
        """Its own request and those before it, the earliest first, as measured after it; [] before that."""
        return self._read("requests.json") or []

    @property
    def report(self) -> ReportValues | None:
        """The evaluation as plain values, if there was one."""
        report: ReportValues | None = self._read("report.json")
        return report

    @property
    def start_report(self) -> ReportValues | None:
        """The evaluation of its start model on own samples, if there was one."""
        report: ReportValues | None = self._read(START_REPORT)
        return report

    @property
    def damage(self) -> list[str]:
        """A sentence for each file beside spec and state that is damaged, and so counts as not there."""
        sentences = []
        for name in READERS:
            try:
                value = READERS[name](self.folder / name)
            except TokenUnlearnError as error:
                if os.path.lexists(self.folder / name):
                    sentences.append(f"{error} The file is ignored.")
            else:
                if name.endswith(".jsonl") and value[1]:
                    sentences.append(f"{name} has {value[1]:,} damaged lines, which are left out.")
        return sentences

    @property
    def adapter(self) -> Path | None:
        """Folder of what the run changed, once it is written."""
        path = self.folder / "adapter"
        return path if os.path.isdir(path) else None

    @property
    def cancel_requested(self) -> bool:
        """Whether someone asked to stop."""
        return os.path.exists(self.folder / "cancel")

    def request_cancel(self) -> None:
        """Ask the run to stop; it does so after the step it is in.

        Raises:
            RunError: If it has ended already.
        """
        if not self.state.active:
            raise RunError(
                f'The run "{self.id}" is {self.state.status}; only queued and running runs can be cancelled.'
            )
        (self.folder / "cancel").touch()

    def write(self, name: str, value: Any) -> None:
        """Replace one JSON file of the run as a whole."""
        write_json(self.folder / name, value)

    def set_state(self, **changes: Any) -> RunState:
        """Change the state on disk; called only by the process that runs it.

        The state of a run that has ended, and what it measured, outlast a crash of the machine.
        """
        try:
            state = read_json(self.folder / "state.json", RunState)
        except FileError:  # nobody knows better than the process that runs it
            state = RunState("running")
        if changes.get("status") == "running":
            changes["started"] = state.started or now()
        elif changes.get("status") in ("completed", "failed", "cancelled"):
            changes["ended"] = now()
        state = replace(state, **changes, pid=os.getpid())
        if not state.active:
            for name in ("metrics.jsonl", "watched.jsonl"):
                sync(self.folder / name)
        write_json(self.folder / "state.json", asdict(state), synced=not state.active)
        return state

    def append_metrics(self, record: Mapping[str, float]) -> None:
        """Add one step's record; numbers that are not finite are stored as null."""
        finite = {k: v if abs(v) < float("inf") else None for k, v in record.items()}
        self._append("metrics.jsonl", finite)

    def append_watched(self, record: Mapping[str, Any]) -> None:
        """Add what was measured between two steps."""
        self._append("watched.jsonl", record)

    def _append(self, name: str, record: Mapping[str, Any]) -> None:
        with (self.folder / name).open("a", encoding="utf-8") as file:
            file.write(json.dumps(record, ensure_ascii=False) + "\n")

    def _damaged(self, error: FileError) -> RunError:
        return RunError(f'The run "{self.id}" is damaged and can only be deleted: {error}')

    def _read(self, name: str) -> Any:
        """What a file holds; None where it is not there or damaged."""
        with suppress(FileError):
            return READERS[name](self.folder / name)
        return None


# What each file beside spec and state holds.
READERS: Mapping[str, Callable[[Path], Any]] = {
    "label.txt": read_text,
    "metrics.jsonl": partial(read_lines, kind=StepRecord),
    "watched.jsonl": partial(read_lines, kind=Watched),
    "resolved.json": partial(read_json, kind=dict[str, Any]),
    "generations.json": partial(read_json, kind=dict[str, list[AnswerPair]]),
    "report.json": read_report,
    START_REPORT: read_report,
    "requests.json": partial(read_json, kind=list[Request]),
    "scores.parquet": ScoreSet.load,
    "tokens.parquet": load_changes,
}


class RunStore:
    """All runs under one folder.

    Args:
        root: The folder.
        read_only: Refuse to make and delete runs; for the runs that are shipped with the repository.
    """

    def __init__(self, root: str | Path, *, read_only: bool = False) -> None:
        self.root = user_path(root)
        self.read_only = read_only

    def create(self, spec: RunSpec, scores: ScoreSet | None = None) -> Run:
        """Make the run's folder, whole or not at all; it waits as queued.

        Raises:
            RunError: If the folder cannot be written.
        """
        self._check_writable()
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            scratch = Path(tempfile.mkdtemp(prefix=".new-", dir=self.root))
        except OSError as error:
            raise RunError(
                f'Runs cannot be written to "{self.root}": {error.strerror}; choose another folder.'
            ) from None
        run = Run(scratch)
        run.write("spec.json", spec.to_json())
        run.write("state.json", asdict(RunState("queued", pid=os.getpid())))
        if scores is not None:
            scores.save(scratch / "scores.parquet")
        scratch.chmod(0o755)
        run = Run(scratch.rename(self.root / spec.id))
        sync(self.root)
        return run

    def runs(self) -> list[Run]:
        """Every run, the newest first; damaged ones too.

        Raises:
            RunError: If the folder cannot be read.
        """
        if not os.path.isdir(self.root):
            return []
        try:
            names = sorted(os.listdir(self.root), reverse=True)
        except OSError as error:
            raise RunError(f'The runs in "{self.root}" cannot be read: {error.strerror}.') from None
        return [Run(self.root / name) for name in names if not name.startswith(".") and self._is_run(name)]

    def _is_run(self, name: str) -> bool:
        """Whether a folder has the frozen files of a run, or cannot be looked into."""
        folder = self.root / name
        files = any(os.path.lexists(folder / file) for file in ("spec.json", "state.json"))
        return files or (os.path.isdir(folder) and not os.access(folder, os.R_OK | os.X_OK))

    def get(self, run_id: str) -> Run:
        """The run of an id, or of the only id that begins so.

        Raises:
            RunError: If there is none, or several begin so.
        """
        found = [run for run in self.runs() if run.id.startswith(run_id)] if run_id else []
        exact = [run for run in found if run.id == run_id]
        if len(exact or found) == 1:
            return (exact or found)[0]
        if found:
            raise RunError(f'{len(found)} runs start with "{run_id}"; use more of the id.')
        raise RunError(f'There is no run "{run_id}" in {self.root}.')

    def continued(self, run: Run) -> list[Run]:
        """The runs that go on from a run directly, the earliest first; unreadable ones are left out."""
        later = []
        for other in reversed(self.runs()):
            with suppress(RunError):
                later += [other] if other.spec.adapter == run.id else []
        return later

    def locate(self, adapter: str) -> str:
        """What a spec calls an adapter: the id of a run of this store, else an absolute folder.

        Args:
            adapter: Id of a run, a run's folder, its ``adapter`` folder, or the folder of another adapter.

        Raises:
            RunError: If there is none.
        """
        path = user_path(adapter)
        if not os.path.isdir(path) and path.name != adapter:
            raise RunError(f'There is no run or adapter folder "{adapter}".')
        if not os.path.isdir(path):
            return self.get(adapter).id
        path = path.resolve()
        folder = path.parent if os.path.isfile(path.parent / "spec.json") else path
        return folder.name if folder.parent == self.root.resolve() else str(folder)

    def delete(self, run_id: str) -> None:
        """Remove a run and everything in its folder.

        Raises:
            RunError: If there is no such run, it is still active, another goes on from it, it was shipped, or
                the folder may not be removed.
        """
        self._check_writable()
        run = self.get(run_id)
        for later in self.continued(run):
            raise RunError(f'The run "{later.id}" goes on from "{run.id}"; delete that one first.')
        if run.state.active:
            raise RunError(f'The run "{run.id}" is {run.state.status}; cancel it first.')
        try:
            run.folder.unlink() if run.folder.is_symlink() else shutil.rmtree(run.folder)
        except OSError as error:
            raise RunError(f'The run "{run.id}" cannot be deleted: {error.strerror}.') from None

    def _check_writable(self) -> None:
        if self.read_only:
            raise RunError("The runs shipped with TokenUnlearn are read-only.")


def write_json(path: Path, value: Any, *, synced: bool = True) -> None:
    """Write JSON so that a reader sees the old file or the new one, never a part."""
    text = json.dumps(value, ensure_ascii=False, indent=2, allow_nan=False)
    with replaced(path, synced=synced) as file:
        file.write(f"{text}\n".encode())


def now() -> str:
    """UTC time, ISO 8601, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def _short(label: str) -> str:
    return " ".join(label.split())[:LONGEST_LABEL]


def _alive(pid: int) -> bool:
    if pid <= 0:
        return False
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return True
