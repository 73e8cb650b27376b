"""The unlearning depth of the weights that a run led to, stored with the run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tokenunlearn.errors import TokenUnlearnError
from tokenunlearn.evaluation.depth_maps import save_depth
from tokenunlearn.models.source import ModelSource
from tokenunlearn.runs.run import Run
from tokenunlearn.runs.run_files import DEPTH

if TYPE_CHECKING:
    from tokenunlearn.models.forward import Progress
    from tokenunlearn.runs.scoring_model import LoadModel


def save_run_depth(
    run: Run, retrained: str, load: LoadModel = ModelSource.load, progress: Progress | None = None
) -> None:
    """Measure the unlearning depth of a run on its forget set, and write its depth maps into its folder.

    Args:
        run: A run whose weights are stored.
        retrained: Name of the retrained model.
        load: Loads a model.
        progress: Called with samples done and in all.

    Raises:
        TokenUnlearnError: If the samples have no gold spans, or the models differ in layers, width or tokens.
    """
    from tokenunlearn.datasets import load_samples
    from tokenunlearn.evaluation.depth_patching import unlearning_depth
    from tokenunlearn.models.context import fit_context
    from tokenunlearn.training.settings import UnlearnSettings

    spec = run.spec
    unseen = ModelSource(retrained, template_kwargs=spec.template_kwargs)
    model, start, other = map(load, (run.result, run.start, unseen))
    long = UnlearnSettings.from_settings(spec.config).long
    samples = fit_context(start, load_samples(spec.samples), long)
    maps = unlearning_depth(model, start, other, samples, progress=progress)
    if not maps:
        raise TokenUnlearnError("Unlearning depth needs gold spans, which these samples do not have.")
    save_depth(maps, run.folder / DEPTH)
