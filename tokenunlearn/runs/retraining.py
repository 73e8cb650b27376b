"""Training the retrained model of a user's own data, and finding the one that goes with a run."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tokenunlearn.datasets import load_samples
from tokenunlearn.datasets.files import samples_hash
from tokenunlearn.datasets.samples import SampleSet
from tokenunlearn.errors import TokenUnlearnError
from tokenunlearn.evaluation.report import versions
from tokenunlearn.files import new_folder
from tokenunlearn.folders import user_path
from tokenunlearn.models.presets import retrained_without
from tokenunlearn.models.recipe import RECIPE, Recipe
from tokenunlearn.models.source import ModelSource
from tokenunlearn.training.finetune_settings import RetrainSettings

if TYPE_CHECKING:
    from tokenunlearn.runs.run import Run

Progress = Callable[[str, int, int], None]
NAMED = 5  # ids that an error names


def retrain(
    model: str,
    retain: SampleSet | str,
    out: str | Path,
    *,
    forget: SampleSet | str | None = None,
    with_forget: bool = False,
    template_kwargs: Mapping[str, Any] | None = None,
    config: RetrainSettings | None = None,
    progress: Progress | None = None,
    should_stop: Callable[[], bool] | None = None,
    **settings: Any,
) -> Recipe:
    """Fine-tune a base model on retained samples only: the gold standard of forgetting the forget set.

    With ``with_forget`` the same training makes the model that knows both sets, from which to unlearn. The
    loss is that of the response tokens alone. The folder holds a whole model, which :func:`load_model` loads,
    and ``recipe.json``; it appears when the training has ended, whole or not at all.

    Args:
        model: The base model: a preset, a hub id or a folder that never saw the forget set.
        retain: Retained samples, or their name.
        out: Folder of the new model.
        forget: The forget set; without ``with_forget`` it is only checked that no retained sample is in it.
        with_forget: Train on the forget set too.
        template_kwargs: Variables of the chat template by name, as :func:`load_model` takes them.
        config: Settings of the training; or give them by name in ``settings``.
        progress: Called with phase ("loading", "training"), done and total.
        should_stop: Asked after every step; True ends the training, and nothing is stored.
        **settings: E.g. ``epochs=5, learning_rate=1e-3, train="lora"``.

    Returns:
        The recipe as it is stored.

    Raises:
        TokenUnlearnError: If the folder holds something already or cannot be written, a retained sample is in
            the forget set, a setting is not allowed, the training diverges, or it was stopped.
        ModelNotFoundError: If the base model cannot be loaded.
        DatasetError: If samples cannot be loaded.
        SampleTooLongError: If samples exceed the model's context and ``long`` is "error".
    """
    if config is not None and settings:
        raise TokenUnlearnError("Pass either a config or settings by name, not both.")
    config = config or RetrainSettings.from_settings(settings)
    if with_forget and forget is None:
        raise TokenUnlearnError("Training with the forget set needs one; name it with forget.")
    say, folder = progress or (lambda phase, done, total: None), user_path(out)
    sets = {
        part: load_samples(samples) if isinstance(samples, str) else samples
        for part, samples in (("retain", retain), ("forget", forget))
        if samples is not None
    }
    if "forget" in sets:
        _check_apart(sets["forget"], sets["retain"])
    with new_folder(folder) as scratch:
        recipe = _trained(
            ModelSource(model, template_kwargs=dict(template_kwargs or {})),
            sets,
            ("retain", "forget") if with_forget else ("retain",),
            config,
            say,
            should_stop,
            scratch,
        )
    return recipe


def _check_apart(forget: SampleSet, retain: SampleSet) -> None:
    """Refuse retained samples that are to be forgotten as well."""
    secret = {s.folded for s in forget}
    shared = [s.id for s in retain if s.folded in secret]
    if shared:
        raise TokenUnlearnError(
            f"{len(shared)} of {len(retain):,} retained samples are in the forget set too: "
            f"{', '.join(shared[:NAMED])}{', ...' if len(shared) > NAMED else ''}; remove them."
        )


def _trained(
    source: ModelSource,
    sets: dict[str, SampleSet],
    used: tuple[str, ...],
    config: RetrainSettings,
    say: Progress,
    should_stop: Callable[[], bool] | None,
    folder: Path,
) -> Recipe:
    """Load, train and store a model in a folder that is not there yet."""
    from tokenunlearn.models.context import fit_context
    from tokenunlearn.training.finetune import StepWatch, finetune_model

    say("loading", 0, 1)
    lm = source.load(dtype="float32")
    say("loading", 1, 1)
    config = config.resolved(lm)
    samples = [s for part in used for s in fit_context(lm, sets[part], config.long)]
    watch = StepWatch(lambda done, total: say("training", done, total), should_stop)
    finetune_model(lm, samples, config, [watch])
    if watch.stopped:
        raise TokenUnlearnError("The training was cancelled; nothing was stored.")
    recipe = Recipe(
        settings=asdict(config),
        model=source.name,
        revision=lm.revision,
        system_prompt=lm.system_prompt,
        template_kwargs=source.template_kwargs,
        samples={
            part: {"name": s.name, "samples": len(s), "sha256": samples_hash(s), "trained": part in used}
            for part, s in sets.items()
        },
        versions=versions(),
    )
    lm.model.save_pretrained(folder)
    lm.tokenizer.save_pretrained(folder)
    recipe.save(folder)
    return recipe


def twin_folder(root: Path, model: str, samples: str, retain: str) -> Path:
    """Where the retrained model of a start model and its two sets is stored under the folder of the runs."""
    key = hashlib.sha256(json.dumps([model, samples, retain]).encode()).hexdigest()[:16]
    return root / "retrained" / key


def retrained_for(run: Run) -> str | None:
    """The retrained model that a run is compared with: the one trained for it, else the known one."""
    spec = run.spec
    folder = twin_folder(run.folder.parent, spec.model, spec.samples, spec.retain)
    return str(folder) if (folder / RECIPE).is_file() else retrained_without(spec.model, spec.samples)
