"""Score sets: where each is kept, and the work that makes it."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import streamlit as st

from app import sample_sets, tasks
from app.tasks import Task
from tokenunlearn.attribution.score_set import ScoreSet
from tokenunlearn.errors import SampleTooLongError, ScoreSetError, TokenUnlearnError
from tokenunlearn.folders import ASSETS, cache_folder
from tokenunlearn.models.presets import PRESETS
from tokenunlearn.models.source import ModelSource

if TYPE_CHECKING:
    from tokenunlearn.datasets.samples import Sample
    from tokenunlearn.models.loaded_model import LoadedModel


def score_path(model: ModelSource, samples: str, masking: dict[str, Any]) -> Path:
    """Where the score set of a model, samples and masking settings is kept, shipped or cached.

    Raises:
        AccessError: If the visitor may not name them.
    """
    sample_sets.check_offered(model, samples)
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


def drop_changed(path: Path, model: LoadedModel, samples: Sequence[Sample]) -> None:
    """Remove a cached score set whose samples or prompts the model reads in another way now.

    The name of a set on the Hub, and a template that writes the date, say nothing of that.
    """
    from tokenunlearn.models.context import fit_context

    if not path.is_relative_to(cache_folder()) or not os.path.exists(path):
        return
    with suppress(SampleTooLongError):
        read = model.encode_all(fit_context(model, samples))
        try:
            ScoreSet.load(path).check_samples(read)
        except ScoreSetError:
            path.unlink(missing_ok=True)


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

    sample_sets.check_offered(model, samples)
    key = scoring_key(model, samples, masking)
    return tasks.start(key, f"Scoring {sample_sets.set_name(samples)} with {model.name}", work)
