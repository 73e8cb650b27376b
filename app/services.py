"""Singletons and background work for the pages: worker, runs, score sets, short tasks."""

from __future__ import annotations

import hashlib
import json
import os
import re
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import streamlit as st

from app.present.presentation import Story
from tokenunlearn.attribution.score_set import ScoreSet
from tokenunlearn.errors import DatasetError, RunError, TokenUnlearnError
from tokenunlearn.evaluation.report import read_report as stored_report
from tokenunlearn.evaluation.token_changes import TokenChange, load_changes
from tokenunlearn.files import replaced
from tokenunlearn.folders import ASSETS, cache_folder
from tokenunlearn.models.presets import PRESETS, available_presets, retrained_model
from tokenunlearn.models.source import ModelSource
from tokenunlearn.runs.store import Run, RunStore, write_json
from tokenunlearn.runs.worker import Worker

if TYPE_CHECKING:
    from tokenunlearn.datasets.samples import Sample, SampleSet

# Suite -> its forget sets, the default in front, each with the retained set that goes with it.
SETS = {
    "authors": {
        "authors:forget10": "authors:retain90",
        "authors:forget05": "authors:retain95",
        "authors:holdout": "authors:retain90",
    },
    "alchemy": {
        "alchemy:forget": "alchemy:retain",
        "alchemy:forget_exercises": "alchemy:retain_exercises",
    },
    "prose": {"prose:forget": "prose:retain"},
    "tofu": {"tofu:forget10_first5": "tofu:retain90_first15"},
}
SET_NAME = re.compile(r"[\w-]{1,40}")


@dataclass
class Task:
    """Something short that the worker does for a page.

    Attributes:
        label: What it is, for the progress bar.
        future: Its result or error.
        done: Units done.
        total: Units in all; 0 while unknown.
    """

    label: str
    future: Future[Any] | None = None
    done: int = 0
    total: int = 0
    started: float = field(default_factory=time.monotonic)

    def progress(self, done: int, total: int) -> None:
        """Take progress from the worker's thread."""
        self.done, self.total = done, total

    @property
    def running(self) -> bool:
        """Whether it has not ended."""
        return self.future is not None and not self.future.done()


@st.cache_resource
def worker() -> Worker:
    """The one thread that owns model and device, for all visitors."""
    return Worker()


@st.cache_resource
def tasks() -> dict[str, Task]:
    """Tasks by key, for all visitors; a refresh finds them again."""
    return {}


def store() -> RunStore:
    """The runs: ``TOKENUNLEARN_RUNS`` or the folder ``runs``."""
    return RunStore(os.environ.get("TOKENUNLEARN_RUNS", "runs"))


def shipped_store() -> RunStore:
    """The runs that came with the repository; they can be read only."""
    return RunStore(ASSETS / "runs", read_only=True)


def shipped(run: Run) -> bool:
    """Whether a run came with the repository, so that nothing of it may be changed."""
    return run.folder.parent == shipped_store().root


def story(run: Run) -> Story:
    """What is stored about a run and about the models to compare it with."""
    spec, report, scores = run.spec, run.folder / "report.json", run.folder / "scores.parquet"
    unseen = retrained_model(spec.model)
    return Story(
        spec=spec,
        generations=run.generations,
        report=read_report(report, report.stat().st_mtime) if report.exists() else None,
        scores=find_scores(scores),
        before=shipped_report(spec.model),
        unseen=shipped_report(unseen) if unseen else None,
    )


def kept_runs(model: str) -> dict[str, Run]:
    """The ended runs from a model whose weights are kept, the newest first, by id."""
    runs = {}
    for run in store().runs():
        with suppress(RunError):
            if run.spec.model == model and not run.state.active and run.result and run.adapter:
                runs[run.id] = run
    return runs


def discard(run: Run) -> None:
    """Remove a run and all it has kept; an active one as soon as it has stopped.

    Raises:
        RunError: If it is gone already, or another process runs it.
    """
    if run.state.active:
        worker().discard(run)
    else:
        store().delete(run.id)


def start_task(key: str, label: str, work: Callable[[Task], Any]) -> Task:
    """Hand work to the worker unless the same key is running already."""
    known = tasks().get(key)
    if known is not None and known.running:
        return known
    task = Task(label)
    task.future = worker().ask(lambda: work(task))
    tasks()[key] = task
    return task


def model_names() -> list[str]:
    """Presets that can be loaded on this machine."""
    return available_presets()


@st.cache_resource(max_entries=16, show_spinner=False)
def load_samples(name: str) -> SampleSet:
    """Samples by name, read once."""
    from tokenunlearn.datasets import load_samples as load

    return load(name)


def keep_upload(content: bytes, name: str) -> str:
    """Check an uploaded file, keep it beside the runs, and return the name that loads it.

    Raises:
        DatasetError: If it is no file of samples; nothing is kept then.
    """
    from tokenunlearn.datasets.files import parse_samples
    from tokenunlearn.datasets.rows import split_ending

    parse_samples(content, name)
    folder = store().root / "uploads"
    digest = hashlib.sha256(content).hexdigest()[:12]
    stem, ending = split_ending(name)
    stem = "".join(c if c.isalnum() or c in "-_" else "-" for c in stem)[:40]
    path = folder / f"{stem}-{digest}{ending}"
    if not path.exists():
        with replaced(path) as file:
            file.write(content)
    return f"file:{path}"


def uploads() -> list[str]:
    """Names of the files uploaded before."""
    return [f"file:{p}" for p in sorted((store().root / "uploads").glob("[!.]*.*"))]


def _pairs(model: str) -> dict[str, str]:
    """Forget set -> retained set of what a model was trained on; of every suite for a model not known."""
    suites = [PRESETS[model].suite] if model in PRESETS else SETS
    return {forget: retain for suite in suites for forget, retain in SETS[suite].items()}


def forget_sets(model: str) -> list[str]:
    """The sets a model may be made to forget, and own files."""
    return [*_pairs(model), *uploads()]


def retain_sets(model: str, samples: str) -> list[str]:
    """The sets a model may retain, the one that goes with a forget set in front, and own files."""
    pairs = _pairs(model)
    matching = [pairs[samples]] if samples in pairs else []
    return [*dict.fromkeys([*matching, *pairs.values()]), *uploads()]


def set_name(name: str) -> str:
    """What a person calls a set: "cities (a1b2)" for a kept file; other names as they are."""
    if not name.startswith("file:"):
        return name
    stem, separator, digest = Path(name[5:]).stem.rpartition("-")
    return f"{stem} ({digest[:4]})" if separator and len(digest) == 12 else Path(name[5:]).name


def save_set(samples: Sequence[Sample], name: str) -> str:
    """Keep samples as a named set beside the uploads, and return the name that loads them.

    Raises:
        DatasetError: If the name is empty or has other characters than letters, digits, "-" and "_".
    """
    from tokenunlearn.datasets.files import to_jsonl

    if not name:
        raise DatasetError("The set has no name; enter one.")
    if not SET_NAME.fullmatch(name):
        raise DatasetError(f'The name "{name}" is not valid; use 1 to 40 letters, digits, "-" or "_".')
    return keep_upload(to_jsonl(samples), f"{name}.jsonl")


def tokenize(key: str, model: ModelSource, sample: Sample) -> Task:
    """Encode a sample on the worker's thread; the task's result is an ``Encoding``."""
    return start_task(key, f"Tokenizing with {model.name}", lambda task: worker().model(model).encode(sample))


def score_path(model: ModelSource, samples: str, masking: dict[str, Any]) -> Path:
    """Where the score set of a model, samples and masking settings is kept, shipped or cached."""
    from tokenunlearn.attribution.masking_settings import MaskingSettings

    revision, settings = model.revision, asdict(MaskingSettings(**masking))
    shipped = ASSETS / "scores" / f"{model.name}-{samples.replace(':', '-')}.parquet"
    if shipped.exists() and model == ModelSource(model.name) and model.name in PRESETS:
        scores = read_scores(shipped, shipped.stat().st_mtime)
        if scores.revision == revision and scores.masking == settings:
            return shipped
    key = hashlib.sha256(repr((model, revision, samples, sorted(settings.items()))).encode()).hexdigest()[:24]
    return cache_folder() / "scores" / f"{key}.parquet"


@st.cache_resource(max_entries=16, show_spinner=False)
def read_scores(path: Path, changed: float) -> ScoreSet:
    """A score set from disk; ``changed`` is the file's time, so that a new file is read again."""
    return ScoreSet.load(path)


def find_scores(path: Path) -> ScoreSet | None:
    """The score set at a path, or None when it has not been made or does not fit this version."""
    try:
        return read_scores(path, path.stat().st_mtime) if path.exists() else None
    except TokenUnlearnError:
        return None


def score_in_background(path: Path, model: ModelSource, samples: str, masking: dict[str, Any]) -> Task:
    """Score samples on the worker's thread and keep the score set at a path."""

    def work(task: Task) -> Path:
        from tokenunlearn.attribution.score import score
        from tokenunlearn.datasets import load_samples as load

        scores = score(worker().model(model), load(samples), cache=True, progress=task.progress, **masking)
        return scores.save(path)

    return start_task(str(path), f"Scoring {samples} with {model.name}", work)


def evaluate_run(run: Run, limit: int | None) -> Callable[[Task], None]:
    """Work that evaluates a run's model by the suite of its forget set and keeps the report with the run."""

    def work(task: Task) -> None:
        from tokenunlearn.evaluation.suites.suite import evaluate_forgetting

        parent = run.parent
        report = evaluate_forgetting(
            worker().model(run.result),
            run.spec.samples,
            start=run.spec.model,
            parent=parent.folder if parent else None,
            limit=limit,
            progress=lambda phase, done, total: _say(task, phase, done, total),
        )
        write_json(run.folder / "report.json", report.to_json())

    return work


def measure_tokens(run: Run) -> Callable[[Task], None]:
    """Work that measures what a run did to every token of its forget set and keeps it with the run.

    The weights are made again from its spec; those of a weighting that changes from step to step are known
    only to the run itself.
    """

    def work(task: Task) -> None:
        from tokenunlearn.datasets import load_samples as load
        from tokenunlearn.evaluation.token_changes import save_changes, token_changes
        from tokenunlearn.models.context import fit_context
        from tokenunlearn.runs.spec import make_rule
        from tokenunlearn.training.settings import UnlearnSettings
        from tokenunlearn.training.step_rows import fixed_weights

        spec, scores = run.spec, run.scores
        config = UnlearnSettings.from_settings(spec.config)
        if config.weights_move:
            raise TokenUnlearnError(
                f'No token weights are stored for this run, and "{config.weighting}" recomputes them in '
                "every step; run the unlearning again to get them."
            )
        weights = scores.weights(make_rule(spec.rule)) if scores and config.uses_selection else None
        before, after = worker().model(run.start), worker().model(run.result)
        encodings = before.encode_all(fit_context(before, load(spec.samples), config.long))
        fixed = [row.numpy() for row in fixed_weights(encodings, weights, config)]
        changes = token_changes(before, after, encodings, fixed, task.progress)
        save_changes(changes, run.folder / "tokens.parquet")

    return work


def _say(task: Task, phase: str, done: int, total: int) -> None:
    task.label = f"Evaluating: {phase}"
    task.progress(done, total)


@st.cache_resource
def answers() -> dict[tuple[ModelSource, str], str]:
    """Greedy answers by model and question, for all visitors."""
    return {}


def ask_models(key: str, models: list[ModelSource], questions: list[str]) -> Task:
    """Ask several models the same questions; the answers land in :func:`answers`."""

    def work(task: Task) -> None:
        from tokenunlearn.models.generation import generate

        for done, model in enumerate(models):
            task.progress(done, len(models))
            replies = generate(worker().model(model), questions)
            for question, reply in zip(questions, replies, strict=True):
                answers()[model, question] = reply

    return start_task(key, "Generating answers", work)


def shipped_report(model: str) -> dict[str, Any] | None:
    """The stored report of a preset, or None."""
    path = ASSETS / "reports" / f"{model}.json"
    return read_report(path, path.stat().st_mtime) if model in PRESETS and path.exists() else None


@st.cache_resource(max_entries=32, show_spinner=False)
def read_report(path: Path, changed: float) -> dict[str, Any]:
    """A stored report; ``changed`` is the file's time, so that a new file is read again."""
    return stored_report(path)


@st.cache_resource(max_entries=32, show_spinner=False)
def read_json(path: Path, changed: float) -> Any:
    """Any other JSON file from disk."""
    return json.loads(path.read_text(encoding="utf-8"))


def run_report(run: Run) -> dict[str, Any] | None:
    """A run's evaluation, read once."""
    return _read(read_report, run.folder / "report.json")


def run_generations(run: Run) -> dict[str, list[dict[str, str]]]:
    """A run's answers before and after by part, read once."""
    return _read(read_json, run.folder / "generations.json") or {}


def _read(read: Callable[[Path, float], Any], path: Path) -> Any:
    try:
        return read(path, path.stat().st_mtime)
    except (OSError, ValueError):
        return None


def run_records(run: Run) -> list[dict[str, float]]:
    """The records of a run's steps, read once."""
    path = run.folder / "metrics.jsonl"
    return _records(run.folder, path.stat().st_mtime) if path.exists() else []


@st.cache_resource(max_entries=16, show_spinner=False)
def _records(folder: Path, changed: float) -> list[dict[str, float]]:
    return Run(folder).metrics


def token_changes(run: Run) -> list[TokenChange] | None:
    """What a run did to every token of its forget set, read once; None where it kept nothing of that.

    Raises:
        TokenUnlearnError: If the file cannot be read.
    """
    path = run.folder / "tokens.parquet"
    return _changes(path, path.stat().st_mtime) if path.exists() else None


@st.cache_resource(max_entries=16, show_spinner=False)
def _changes(path: Path, changed: float) -> list[TokenChange]:
    return load_changes(path)
