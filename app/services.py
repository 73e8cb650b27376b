"""What the pages share: runs, samples, score sets, and the work that makes them."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import streamlit as st

from app import access, run_reader, tasks
from app.data import hub_sets
from app.present.presentation import Story
from app.tasks import Task
from tokenunlearn.attribution.score_set import ScoreSet
from tokenunlearn.errors import DatasetError, RunError, TokenUnlearnError
from tokenunlearn.files import replaced, write_json
from tokenunlearn.folders import ASSETS, cache_folder
from tokenunlearn.models.presets import PRESETS, available_presets
from tokenunlearn.models.source import ModelSource
from tokenunlearn.runs import judgment
from tokenunlearn.runs.retained import SETS, fitting_retained
from tokenunlearn.runs.retraining import retrained_for, twin_folder
from tokenunlearn.runs.run import Run
from tokenunlearn.runs.run_files import START_REPORT
from tokenunlearn.runs.spec import RunSpec
from tokenunlearn.runs.state import RunState
from tokenunlearn.runs.store import RunStore

if TYPE_CHECKING:
    from tokenunlearn.datasets.layout import Layout
    from tokenunlearn.datasets.samples import Sample, SampleSet
    from tokenunlearn.models.loaded_model import LoadedModel
    from tokenunlearn.models.model_input import ModelInput
    from tokenunlearn.runs.check import Inspection
    from tokenunlearn.training.finetune_settings import RetrainSettings

SET_NAME = re.compile(r"[\w-]{1,40}")
QUESTION_CHARS = 500
RECENT = 100


def store() -> RunStore:
    """The runs: ``TOKENUNLEARN_RUNS`` or the folder ``runs``."""
    return RunStore(os.environ.get("TOKENUNLEARN_RUNS", "runs"))


def shipped_store() -> RunStore:
    """The runs that came with the repository; they can be read only."""
    return RunStore(ASSETS / "runs", read_only=True)


def shipped(run: Run) -> bool:
    """Whether a run came with the repository, so that nothing of it may be changed."""
    return run.folder.parent == shipped_store().root


def run_state(run: Run) -> RunState:
    """Where a run is, also if its folder could not be written when it ended."""
    return tasks.worker().state(run)


def story(run: Run) -> Story:
    """What is stored about a run and about the models to compare it with."""
    spec = replace(run.spec, rule=run.rule)
    return Story(
        spec=spec,
        generations=run.generations,
        report=run_reader.run_report(run),
        scores=find_scores(run.folder / "scores.parquet"),
        before=run_reader.shipped_report(spec.model),
        verdict=run_reader.run_verdict(run),
    )


def kept_runs(model: str) -> dict[str, Run]:
    """The ended runs from a model whose weights are kept, the newest first, by id."""
    runs = {}
    for run in store().runs():
        with suppress(RunError):
            if run.spec.model == model and not run.state.active and run.result and run.adapter:
                runs[run.id] = run
    return runs


def cancel(run: Run) -> None:
    """End a waiting run, or have a running one stop after its step.

    Raises:
        RunError: If it has ended already.
    """
    access.require("cancel")
    tasks.stop(run)


def dismiss(run: Run) -> None:
    """Stop showing how a run ended that could not be stored."""
    access.require("delete")
    tasks.worker().forget(run)


def rename(run: Run, label: str) -> None:
    """Call a run something else."""
    access.require("rename")
    run.rename(label)


def discard(run: Run) -> None:
    """Remove a run and all it has kept; an active one as soon as it has stopped.

    Raises:
        RunError: If it is gone already, or another process runs it.
    """
    access.require("delete")
    if run.state.active:
        tasks.worker().discard(run)
    else:
        store().delete(run.id)


def resume(run: Run) -> None:
    """Queue a run that goes on where it ended.

    Raises:
        AccessError: If the visitor may not do this.
        TokenUnlearnError: If it cannot be resumed, or its folder cannot be written.
    """
    access.require("start")
    tasks.worker().submit(store().resume(run.id))


def model_names() -> list[str]:
    """Presets that can be loaded on this machine."""
    return available_presets()


def check_offered(model: ModelSource | None = None, *samples: str) -> None:
    """Refuse a model or samples that are not on offer, to visitors who may not name others.

    Raises:
        AccessError: If they may not.
    """
    if access.may("open"):
        return
    sets = {name for pairs in SETS.values() for pair in pairs.items() for name in pair}
    unknown = {name for name in samples if name} - sets - set(uploads())
    if unknown:
        specs = [
            run.spec for run in (*store().runs(), *shipped_store().runs()) if run.state.status != "damaged"
        ]
        unknown -= {name for spec in specs for name in (spec.samples, spec.retain)}
    if unknown or (model is not None and model.name not in PRESETS):
        access.require("open")


def load_samples(name: str) -> SampleSet:
    """Samples by name, read once.

    Raises:
        TokenUnlearnError: If they cannot be loaded, or the visitor may not name them.
    """
    check_offered(None, name)
    return _load_samples(name)


@st.cache_resource(max_entries=16, show_spinner=False)
def _load_samples(name: str) -> SampleSet:
    from tokenunlearn.datasets import load_samples as load

    return load(name)


def keep_upload(content: bytes, name: str, layout: Layout | None = None) -> str:
    """Check an uploaded file, keep it beside the runs, and return the name that loads it.

    With a layout of its own it is kept as the samples that it gives, under the usual names.

    Raises:
        DatasetError: If it is no file of samples; nothing is kept then.
    """
    access.require("upload")
    from tokenunlearn.datasets.files import parse_samples, to_jsonl
    from tokenunlearn.datasets.layout import Layout
    from tokenunlearn.datasets.rows import split_ending

    samples = parse_samples(content, name, layout)
    if layout is not None and layout != Layout():
        content, name = to_jsonl(samples), f"{split_ending(name)[0]}.jsonl"
    digest = hashlib.sha256(content).hexdigest()[:12]
    stem, ending = split_ending(name)
    stem = "".join(c if c.isalnum() or c in "-_" else "-" for c in stem)[:40]
    path = store().root / "uploads" / digest / f"{stem}{ending}"
    if not path.exists() or path.stat().st_size != len(content):  # half a file, once left by a full disk
        with replaced(path) as file:
            file.write(content)
    return f"file:{path}"


def uploads() -> list[str]:
    """Names of the files uploaded before, and of the sets of the Hub loaded before."""
    folder = store().root / "uploads"
    files = [*folder.glob("[!.]*.*"), *folder.glob(f"{'[0-9a-f]' * 12}/[!.]*.*")]
    names = [f"file:{path}" for path in sorted(files, key=lambda path: (path.name, path))]
    return [*names, *hub_sets.names(store().root)]


def hub_key(name: str) -> str:
    """Key of the task that loads a set of the Hub."""
    return f"hub {name}"


def load_hub_set(name: str) -> Task:
    """Have the worker load a set of the Hub, "hf:owner/name", and store its name where it can be chosen."""

    def work(task: Task) -> None:
        _load_samples(name)
        hub_sets.add(store().root, name)

    return tasks.start(hub_key(name), f"Loading {name.removeprefix('hf:')} from the Hub", work, "upload")


def _pairs(model: str) -> dict[str, str]:
    """Forget set -> retained set of what a model was trained on; of every suite for a model not known."""
    suites = [PRESETS[model].suite] if model in PRESETS else SETS
    return {forget: retain for suite in suites for forget, retain in SETS[suite].items()}


def forget_sets(model: str) -> list[str]:
    """The sets a model may be made to forget, and own files."""
    return [*_pairs(model), *uploads()]


def retain_sets(model: str, samples: str) -> list[str]:
    """The sets a model may retain, the one that fits in front, and own files."""
    return [*dict.fromkeys([fitting_retained(model, samples).name, *_pairs(model).values()]), *uploads()]


def set_name(name: str) -> str:
    """What a person calls a set: for a kept file its own name, "cities.jsonl"; other names as they are.

    Of several files of one name each has the beginning of its hash added.
    """
    file, digest = _file_name(name)
    alike = digest and sum(_file_name(other)[0] == file for other in uploads()) > 1
    return f"{file} ({digest[:4]})" if alike else file


def _file_name(name: str) -> tuple[str, str]:
    """Name of a kept file and its hash, which is "" for any other set."""
    if not name.startswith("file:"):
        return name, ""
    path = Path(name[5:])
    if re.fullmatch("[0-9a-f]{12}", path.parent.name):
        return path.name, path.parent.name
    kept = re.fullmatch(r"(.+)-([0-9a-f]{12})(\..+)", path.name)  # by earlier versions
    return (f"{kept[1]}{kept[3]}", kept[2]) if kept else (path.name, "")


def save_set(samples: Sequence[Sample], name: str) -> str:
    """Keep samples as a named set beside the uploads, and return the name that loads them.

    Raises:
        DatasetError: If the name is empty or has other characters than letters, digits, "-" and "_".
    """
    access.require("save")
    from tokenunlearn.datasets.files import to_jsonl

    if not name:
        raise DatasetError("The set has no name; enter one.")
    if not SET_NAME.fullmatch(name):
        raise DatasetError(f'The name "{name}" is not valid; use 1 to 40 letters, digits, "-" or "_".')
    return keep_upload(to_jsonl(samples), f"{name}.jsonl")


def tokenize(model: ModelSource, samples: Sequence[Sample], sample_id: str) -> Task:
    """Have the worker encode a sample, or a chunk of a document, once; the result is a ``ModelInput``."""

    def work(task: Task) -> ModelInput:
        from tokenunlearn.models.model_input import model_input

        lm = tasks.worker().model(model)
        return model_input(lm, next(sample for sample in lm.chunk(samples) if sample.id == sample_id))

    check_offered(model)
    key = f"tokens {model} {hash(tuple(samples))} {sample_id}"
    return tasks.started(key, f"Tokenizing with {model.name}", work, "ask")


def inspect(model: ModelSource, samples: str, retain: str = "", *, measure: bool = True) -> Task:
    """Have the worker look at a model and its samples once; the result is an ``Inspection``.

    Args:
        model: The model.
        samples: Name that loads the forget set.
        retain: Name that loads the retained samples, or "".
        measure: Whether to run the model on some answers, for what it knows and how fast it is.
    """

    def work(task: Task) -> Inspection:
        from tokenunlearn.datasets import load_samples as load
        from tokenunlearn.runs import check

        retained, lm = load(retain) if retain else (), tasks.worker().model(model)
        return check.inspect(lm, load(samples), retained, measure=measure, progress=task.progress)

    check_offered(model, samples, retain)
    key = f"inspection {model} {samples} {retain} {measure}"
    return tasks.started(key, f"Checking {set_name(samples)}", work, "ask")


def score_path(model: ModelSource, samples: str, masking: dict[str, Any]) -> Path:
    """Where the score set of a model, samples and masking settings is kept, shipped or cached.

    Raises:
        AccessError: If the visitor may not name them.
    """
    check_offered(model, samples)
    return _score_path(model, samples, masking)


def _score_path(model: ModelSource, samples: str, masking: dict[str, Any]) -> Path:
    from tokenunlearn.attribution.masking_settings import MaskingSettings

    revision, settings = model.revision, asdict(MaskingSettings(**masking))
    shipped = ASSETS / "scores" / f"{model.name}-{samples.replace(':', '-')}.parquet"
    if model.name in PRESETS and model == ModelSource(model.name) and os.path.exists(shipped):
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
        return read_scores(path, path.stat().st_mtime) if os.path.exists(path) else None
    except TokenUnlearnError:
        return None


def scoring_key(model: ModelSource, samples: str, masking: dict[str, Any]) -> str:
    """Key of the task that scores samples; the path of the score set is known once the model is loaded."""
    return f"scores {model} {samples} {sorted(masking.items())}"


def score_in_background(model: ModelSource, samples: str, masking: dict[str, Any]) -> Task:
    """Score samples on the worker's thread and keep the score set where :func:`score_path` finds it."""

    def work(task: Task) -> Path:
        from tokenunlearn.attribution.score import score
        from tokenunlearn.datasets import load_samples as load

        lm = tasks.worker().model(model)
        scores = score(lm, load(samples), cache=True, progress=task.progress, **masking)
        # A packaged model has no weights, and so no revision, before it was loaded once.
        return scores.save(_score_path(model, samples, masking))

    check_offered(model, samples)
    key = scoring_key(model, samples, masking)
    return tasks.start(key, f"Scoring {set_name(samples)} with {model.name}", work)


def evaluate_run(run: Run, limit: int | None) -> Callable[[Task], None]:
    """Work that evaluates a run's model by the suite of its forget set and keeps the report with the run."""

    def work(task: Task) -> None:
        _evaluate(task, tasks.worker().model(run.result), run, limit, "report.json", retrained_for(run))

    return work


def evaluate_start(run: Run, limit: int | None) -> Callable[[Task], None]:
    """Work that evaluates the start model of a run on own samples and keeps the report with the run."""

    def work(task: Task) -> None:
        _evaluate(task, tasks.worker().model(run.start), run, limit, START_REPORT, None)

    return work


def export_folder(run: Run) -> Path:
    """Where the app writes the whole model of a run."""
    return (store().root / "exports" / run.id).absolute()


def export_model(run: Run) -> Callable[[Task], None]:
    """Work that writes the whole model of a run into :func:`export_folder`."""

    def work(task: Task) -> None:
        from tokenunlearn.runs.export import export_run

        task.progress(0, 1)
        export_run(run, export_folder(run), merge=True)

    return work


def push_key(run: Run) -> str:
    """Key of the task that pushes the model of a run."""
    return f"push {run.id}"


def push_model(run: Run, repository: str, *, private: bool = True) -> Task:
    """Push the whole model of a run to a repository of the Hub; the result is the address of the commit.

    The worker writes the model; the upload waits for nobody and keeps nobody waiting. The token is the one
    that huggingface_hub finds on this machine.

    Raises:
        AccessError: If the visitor may not do this.
        RunError: If the repository's id is not valid.
    """
    from tokenunlearn.runs.export import check_repository, export_run, hub_client, upload

    def work(task: Task) -> str:
        client = hub_client()
        with TemporaryDirectory() as scratch:
            folder = Path(scratch) / "model"
            export = partial(export_run, run, folder, merge=True, address=repository)
            tasks.on_worker(task, "writing the model", export)
            task.phase, task.final = "uploading", True
            return upload(client, folder, repository, private=private)

    access.require("push")
    check_repository(repository)
    label = f"Pushing {run.label} to {repository}"
    return tasks.start(push_key(run), label, work, "push", aside=True)


def _evaluate(
    task: Task, model: LoadedModel, run: Run, limit: int | None, name: str, retrained: str | None
) -> None:
    from tokenunlearn.evaluation.suites.suite import evaluate_forgetting

    spec, parent = run.spec, run.parent
    report = evaluate_forgetting(
        model,
        spec.samples,
        start=spec.model,
        parent=parent.folder if parent else None,
        retain=spec.retain,
        retrained=retrained,
        limit=limit,
        progress=lambda phase, done, total: _say(task, phase, done, total),
    )
    write_json(run.folder / name, report.to_json())
    judgment.save_verdict(run)


def is_own(samples: str) -> bool:
    """Whether samples belong to no benchmark with models of its own."""
    return samples.partition(":")[0] not in SETS


def lacks_retrained(run: Run) -> bool:
    """Whether a run is on own samples and no retrained model is known for it, but one can be trained."""
    spec = run.spec
    return bool(is_own(spec.samples) and spec.retain and run.adapter and retrained_for(run) is None)


def twin_key(run: Run) -> str:
    """Folder of the retrained model of a run on own samples, and the key of the task that trains it."""
    return str(twin_folder(run.folder.parent, run.spec.model, run.spec.samples, run.spec.retain))


def train_retrained(run: Run, base: str, config: RetrainSettings, limit: int | None) -> Task:
    """Train the retrained model of a run's sets on the worker's thread, then evaluate the run beside it."""

    def work(task: Task) -> None:
        from tokenunlearn.runs.retraining import retrain

        def progress(phase: str, done: int, total: int) -> None:
            task.progress(done, total)
            tasks.worker().serve()

        retrain(
            base,
            run.spec.retain,
            twin_key(run),
            forget=run.spec.samples,
            template_kwargs=run.spec.template_kwargs,
            config=config,
            progress=progress,
        )
        evaluate_run(run, limit)(task)

    return tasks.start(twin_key(run), "Training the retrained model", work)


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
        weights = scores.weights(make_rule(run.rule)) if scores and config.uses_selection else None
        before, after = tasks.worker().model(run.start), tasks.worker().model(run.result)
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
            beat = partial(task.progress, done, len(models))
            beat()
            replies = generate(tasks.worker().model(model), questions, progress=lambda *_, beat=beat: beat())
            for question, reply in zip(questions, replies, strict=True):
                answers()[model, question] = reply

    for model in models:
        check_offered(model)
    return tasks.started(key, "Generating answers", work, "ask")


def recent_runs() -> Iterator[tuple[Run, RunSpec]]:
    """The newest runs that are not damaged, the newest first, with their specs."""
    for run in store().runs()[:RECENT]:
        with suppress(RunError):
            yield run, run_reader.run_spec(run)
