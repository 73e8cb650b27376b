"""Work with a model on the worker's thread: reading, asking, evaluating, exporting, retraining."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import streamlit as st

from app import access, sample_sets, score_sets, tasks
from app.run_reader import Weights, as_stored
from app.services import store
from app.tasks import Task
from tokenunlearn.errors import TokenUnlearnError
from tokenunlearn.files import write_json
from tokenunlearn.models.source import ModelSource
from tokenunlearn.runs import judgment
from tokenunlearn.runs.retraining import retrained_for, twin_folder
from tokenunlearn.runs.run import Run
from tokenunlearn.runs.run_files import START_REPORT

if TYPE_CHECKING:
    from tokenunlearn.datasets.samples import Sample
    from tokenunlearn.models.loaded_model import LoadedModel
    from tokenunlearn.models.model_input import ModelInput
    from tokenunlearn.runs.check import Inspection
    from tokenunlearn.training.finetune_settings import RetrainSettings

QUESTION_CHARS = 500


def tokenize(model: ModelSource, samples: Sequence[Sample], sample_id: str) -> Task:
    """Have the worker encode a sample, or a chunk of a document, once; the result is a ``ModelInput``."""

    def work(task: Task) -> ModelInput:
        from tokenunlearn.models.model_input import model_input

        lm = tasks.worker().model(model)
        return model_input(lm, next(sample for sample in lm.chunk(samples) if sample.id == sample_id))

    sample_sets.check_offered(model)
    key = f"tokens {model} {hash(tuple(samples))} {sample_id}"
    return tasks.started(key, f"Tokenizing with {model.name}", work, "ask")


def inspect(
    model: ModelSource, samples: str, retain: str = "", *, measure: bool = True, scores: Path | None = None
) -> Task:
    """Have the worker look at a model and its samples once a day; the result is an ``Inspection``.

    Args:
        model: The model.
        samples: Name that loads the forget set.
        retain: Name that loads the retained samples, or "".
        measure: Whether to run the model on some answers, for what it knows and how fast it is.
        scores: Where their score set is kept; it is removed if it is of other samples or another prompt.
    """

    def work(task: Task) -> Inspection:
        from tokenunlearn.datasets import load_samples as load
        from tokenunlearn.runs import check

        retained, lm, forget = load(retain) if retain else (), tasks.worker().model(model), load(samples)
        if scores is not None:
            score_sets.drop_changed(scores, lm, forget)
        return check.inspect(lm, forget, retained, measure=measure, progress=task.progress)

    sample_sets.check_offered(model, samples, retain)
    key = f"inspection {date.today()} {model} {samples} {retain} {measure} {scores}"
    return tasks.started(key, f"Checking {sample_sets.set_name(samples)}", work, "ask")


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


def lacks_retrained(run: Run) -> bool:
    """Whether a run is on own samples and no retrained model is known for it, but one can be trained."""
    spec = run.spec
    return bool(
        sample_sets.is_own(spec.samples) and spec.retain and run.adapter and retrained_for(run) is None
    )


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

    The weights are made again from its spec; those that change from step to step are known only to the run
    itself.
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
        if config.weights_move or config.rescore:
            source = "rescore" if config.rescore else config.weighting
            raise TokenUnlearnError(
                f'No token weights are stored for this run, and "{source}" recomputes them while it '
                "trains; run the unlearning again to get them."
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
def answers() -> dict[tuple[Weights, str], str]:
    """Greedy answers by model as stored and question, for all visitors."""
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
                answers()[as_stored(model), question] = reply

    for model in models:
        sample_sets.check_offered(model)
    return tasks.started(key, "Generating answers", work, "ask")
