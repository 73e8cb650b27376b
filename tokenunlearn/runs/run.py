"""Runs on disk: one folder a run, written by one process, readable by any.

runs/ID/spec.json         frozen when the run is made
runs/ID/state.json        status, phase, step; replaced as a whole
runs/ID/metrics.jsonl     one line a step
runs/ID/watched.jsonl     facts still recalled, answers and memory at intervals, if it was watched
runs/ID/predictions.jsonl what was predicted at each token of the watched forget samples meanwhile
runs/ID/scores.parquet    the score set behind the weights
runs/ID/resolved.json     the configuration as it was carried out, and which modules were trained
runs/ID/tokens.parquet    NLL and rank of every token of the forget set before and after, and its weight
runs/ID/generations.json  answers before and after
runs/ID/requests.json     how well its forget set, and those of the runs before it, are forgotten
runs/ID/report.json       evaluation, if there was one
runs/ID/attacks.json      report under attack, if someone put one there
runs/ID/verdict.json      what these support saying, see evaluation/verdict.py
runs/ID/adapter/          what the run changed
runs/ID/scoring/          scores of single samples, until the score set is whole
runs/ID/checkpoints/      the last two checkpoints of training, until the run is completed
runs/ID/label.txt         what a person calls the run now; the spec keeps the first label
runs/ID/cancel            there once someone asked to stop
runs/ID/lock              held by the process that runs it, until the run ends
runs/ID/process.json      which process that is, if it was started for the run; see launch.py
runs/ID/log.txt           what that process printed
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tokenunlearn.attribution.score_set import ScoreSet
from tokenunlearn.errors import FileError, RunError, TokenUnlearnError
from tokenunlearn.evaluation.report import ReportValues
from tokenunlearn.evaluation.token_changes import TokenChange, load_changes
from tokenunlearn.evaluation.token_life import PredictionRecord
from tokenunlearn.evaluation.watch import Watched
from tokenunlearn.files import append_line, refusal, replaced, sync, write_json
from tokenunlearn.models.source import ModelSource
from tokenunlearn.notebook import NotebookView
from tokenunlearn.runs.ledger import Request
from tokenunlearn.runs.locks import PATIENCE, acquire, is_held, is_owned, release
from tokenunlearn.runs.run_files import ATTACKS_REPORT, READERS, START_REPORT, AnswerPair, StepRecord
from tokenunlearn.runs.spec import RunSpec
from tokenunlearn.runs.state import RunState, now
from tokenunlearn.stored import read_json
from tokenunlearn.training.checkpoints import PREFIX

LONGEST_LABEL = 80
# Seconds in which a queued run may be on its way to the process that runs it.
HANDOVER = 2.0
UNREADABLE = "A process carries out this run, but where it is cannot be read."


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
        """The state on disk; an active run is interrupted if no process holds its lock.

        A run that cannot be read is damaged, unless a process still carries it out.
        """
        state = self._stored_state()
        if state.active or state.status == "damaged":
            try:
                held = is_held(self.lock) or (state.status == "queued" and self._is_held_again())
            except OSError as error:
                reason = f"its lock cannot be read: {error.strerror or error}"
                unknown = f"Whether a process still carries out this run is unknown; {reason}."
                return replace(state, message=unknown) if state.active else state
            if held:
                return state if state.active else RunState("running", message=UNREADABLE)
            state = self._stored_state()  # its owner may have ended it meanwhile
            state = state.interrupted() if state.active else state
        try:
            _ = self.spec
        except RunError as error:
            return RunState("damaged", message=str(error))
        return state

    def _is_held_again(self) -> bool:
        """Whether a lock that is free was so for an instant only, because the run is new or handed over."""
        files = [path for name in ("state.json", "process.json") if (path := self.folder / name).exists()]
        if not any(abs(time.time() - path.stat().st_mtime) < HANDOVER for path in files):
            return False
        time.sleep(HANDOVER / 20)
        return is_held(self.lock)

    def _stored_state(self) -> RunState:
        try:
            state: RunState = read_json(self.folder / "state.json", RunState)
        except FileError as error:
            repair = 'mend it with "runs doctor", or delete it'
            return RunState("damaged", message=f'The run "{self.id}" is damaged; {repair}: {error}')
        return state

    def _repr_html_(self) -> str:
        return self.show()._repr_html_()

    def show(self) -> NotebookView:
        """The run as a notebook draws it; ``show().save("run.html")`` writes it as a page.

        Raises:
            RunError: If the folder holds no readable spec.
        """
        from tokenunlearn.runs.run_page import run_view

        return run_view(self)

    @property
    def lock(self) -> Path:
        """The file of its lock."""
        return self.folder.absolute() / "lock"

    @property
    def own(self) -> bool:
        """Whether this process carries it out."""
        return is_owned(self.lock)

    def take(self, patience: float = PATIENCE) -> None:
        """Become the process that carries it out, until it has ended.

        Args:
            patience: Seconds to wait for a process that is about to give it up.

        Raises:
            RunError: If another process does.
            TokenUnlearnError: If its folder cannot be written.
        """
        if not self.own and not acquire(self.lock, patience):
            raise RunError(f'The run "{self.id}" belongs to another process.')

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
    def predictions(self) -> list[PredictionRecord]:
        """What was predicted at each token of the watched forget samples, between steps so far."""
        records: list[PredictionRecord] = (self._read("predictions.jsonl") or ([], 0))[0]
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
    def rule(self) -> dict[str, Any]:
        """The rule of its token weights, with the threshold that the scores chose once that is done."""
        rule = self.resolved.get("rule")
        return dict(rule) if isinstance(rule, dict) and rule else dict(self.spec.rule)

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
    def attacks(self) -> ReportValues | None:
        """The report under attack as plain values, if there is one."""
        report: ReportValues | None = self._read(ATTACKS_REPORT)
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
    def checkpoints(self) -> Path:
        """Folder of its checkpoints, which need not be there."""
        return self.folder / "checkpoints"

    @property
    def has_checkpoint(self) -> bool:
        """Whether there is a checkpoint, whole or not."""
        return any(self.checkpoints.glob(f"{PREFIX}*"))

    @property
    def cancel_requested(self) -> bool:
        """Whether someone asked to stop."""
        return os.path.exists(self.folder / "cancel")

    def request_cancel(self) -> None:
        """Ask the run to stop; it does so after the step it is in.

        Raises:
            RunError: If it has ended already.
            TokenUnlearnError: If its folder cannot be written.
        """
        if not self.state.active:
            raise RunError(
                f'The run "{self.id}" is {self.state.status}; only queued and running runs can be cancelled.'
            )
        try:
            (self.folder / "cancel").touch()
        except OSError as error:
            raise refusal(self.folder / "cancel", error) from error

    def write(self, name: str, value: Any, *, synced: bool = True) -> None:
        """Replace one JSON file of the run as a whole.

        Raises:
            TokenUnlearnError: If it cannot be written, or the folder is gone.
        """
        # Scores of samples make a removed folder again, but not the lock in it.
        if not (self.lock if self.own else self.folder).exists():
            raise RunError(f'The folder of the run "{self.id}" is gone.')
        write_json(self.folder / name, value, synced=synced)

    def set_state(self, **changes: Any) -> RunState:
        """Change the state on disk; called only by the process that runs it, which the end of the run frees.

        The state of a run that has ended, and what it measured, outlast a crash of the machine.

        Raises:
            TokenUnlearnError: If it cannot be written.
        """
        try:
            state = read_json(self.folder / "state.json", RunState)
        except FileError:  # nobody knows better than the process that runs it
            state = RunState("running")
        if changes.get("status") == "running":
            changes["started"] = state.started or now()
        state = replace(state, **changes)
        ended = not state.active
        state = replace(state, ended=changes.get("ended", now()) if ended else "")
        if ended:
            for name in ("metrics.jsonl", "watched.jsonl", "predictions.jsonl"):
                sync(self.folder / name)
        self.write("state.json", asdict(state), synced=ended)
        if ended:
            release(self.lock)
        return state

    def settle(self) -> RunState:
        """Write the final state of an interrupted run, also of one whose state cannot be read.

        It ended when its state was last written.

        Raises:
            RunError: If another process carries it out.
            TokenUnlearnError: If it cannot be written.
        """
        self.take()
        try:
            state = self._stored_state()
            if not state.active and state.status != "damaged":
                return state
            message = state.interrupted().message if state.active else "How this run ended cannot be read."
            end = {}
            with suppress(OSError):
                changed = datetime.fromtimestamp((self.folder / "state.json").stat().st_mtime, UTC)
                end = {"ended": changed.isoformat(timespec="seconds")}
            return self.set_state(status="interrupted", message=message, **end)
        finally:
            release(self.lock)

    def append_metrics(self, record: Mapping[str, float]) -> None:
        """Add one step's record; numbers that are not finite are stored as null."""
        finite = {k: v if abs(v) < float("inf") else None for k, v in record.items()}
        self._append("metrics.jsonl", finite)

    def append_watched(self, record: Mapping[str, Any]) -> None:
        """Add what was measured between two steps."""
        self._append("watched.jsonl", record)

    def append_predictions(self, record: PredictionRecord) -> None:
        """Add what was predicted between two steps."""
        self._append("predictions.jsonl", record)

    def _append(self, name: str, record: Mapping[str, Any]) -> None:
        append_line(self.folder / name, json.dumps(record, ensure_ascii=False))

    def _damaged(self, error: FileError) -> RunError:
        return RunError(f'The run "{self.id}" is damaged and can only be deleted: {error}')

    def _read(self, name: str) -> Any:
        """What a file holds; None where it is not there or damaged."""
        with suppress(FileError):
            return READERS[name](self.folder / name)
        return None


def _short(label: str) -> str:
    return " ".join(label.split())[:LONGEST_LABEL]
