"""Which model scores a forget set: the one before any run.

A model that was unlearned hesitates elsewhere, so its entropies no longer tell where the secret is.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from tokenunlearn.errors import ModelNotFoundError
from tokenunlearn.models.model_folders import model_folders
from tokenunlearn.models.source import ModelSource
from tokenunlearn.models.unlearned_mark import is_marked_folder
from tokenunlearn.runs.findings import EXPORTED, Finding

if TYPE_CHECKING:
    from tokenunlearn.attribution.score_set import ScoreSet
    from tokenunlearn.datasets.samples import Sample
    from tokenunlearn.models.loaded_model import LoadedModel

LoadModel = Callable[[ModelSource], "LoadedModel"]


def before_runs(source: ModelSource) -> ModelSource:
    """A model without what runs changed in it; an adapter that no run made stays."""
    own = (a for a in source.adapters if not _made_by_run(Path(a)))
    return replace(source, adapters=tuple(own))


def _made_by_run(adapter: Path) -> bool:
    return os.path.isfile(adapter.parent / "spec.json") or is_marked_folder(adapter)


def scored_after_runs(source: ModelSource) -> Finding | None:
    """What to say of scores of a model that runs changed; None where none did."""
    if before_runs(source) == source:
        return None
    return Finding(
        "after runs",
        "warning",
        "A model that was unlearned hesitates elsewhere, so its scores may miss where the secret is; score "
        "the model before its runs, as unlearn --adapter does by itself.",
    )


def exported(source: ModelSource) -> Finding | None:
    """What to say of scores of a model that a run exported to a local folder; None of any other."""
    with suppress(ModelNotFoundError):
        return EXPORTED if any(map(is_marked_folder, model_folders(source.name))) else None
    return None


def scoring_model(source: ModelSource, model: LoadedModel, load: LoadModel) -> LoadedModel:
    """The model that scores for a run.

    Args:
        source: The start model of the run.
        model: The same, loaded.
        load: Loads another one.
    """
    first = before_runs(source)
    return model if first == source else load(first)


def check_scores(
    scores: ScoreSet, samples: Sequence[Sample], source: ModelSource, model: LoadedModel, load: LoadModel
) -> None:
    """Refuse a score set of another model or of other samples than those of a run.

    Args:
        scores: The score set, of the start model of the run or of the model before any run.
        samples: The forget set as it fits the model's context.
        source: The start model of the run.
        model: The same, loaded.
        load: Loads another one.

    Raises:
        ScoreSetError: If other weights, samples or prompts were scored.
    """
    if scores.revision != model.revision:
        scores.check_model(scoring_model(source, model, load).revision)
    scores.check_samples(model.encode_all(samples))
