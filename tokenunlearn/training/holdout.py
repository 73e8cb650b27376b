"""The level that forgetting is to reach, measured on samples that the model never saw."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import torch

from tokenunlearn.attribution.score import score_alike
from tokenunlearn.attribution.selection import TokenWeights
from tokenunlearn.datasets import holdout_of, load_samples
from tokenunlearn.datasets.samples import Sample, SampleSet
from tokenunlearn.errors import TokenUnlearnError
from tokenunlearn.models.context import fit_context
from tokenunlearn.models.forward import Progress, response_nll
from tokenunlearn.models.loaded_model import LoadedModel
from tokenunlearn.training.settings import NONE, UnlearnSettings
from tokenunlearn.training.step_rows import under_control

if TYPE_CHECKING:
    from tokenunlearn.attribution.score_set import ScoreSet

# Held-out samples that are read at most, evenly spread.
READ = 100


def with_level(
    settings: UnlearnSettings,
    model: LoadedModel,
    forget: SampleSet,
    retain: Sequence[Sample],
    weights: TokenWeights | None,
    scores: ScoreSet | None = None,
    progress: Progress | None = None,
) -> UnlearnSettings:
    """The settings with the level that their holdout gives, in nats, to three digits, and with its name.

    It is the mean NLL, under the start model, of the tokens that the weights' rule selects in the holdout: as
    large a share of them as of the forget set where the selection is hard. Without a holdout, or with a
    level, the settings stay as they are.

    Args:
        settings: The settings.
        model: The start model.
        forget: The forget set; by its name "auto" finds the holdout.
        retain: The retained samples.
        weights: Token weights of the forget set; None where every response token counts alike.
        scores: The score set that they are from, whose settings the holdout is scored with; by default the
            default ones.
        progress: Called with held-out samples done and in all.

    Raises:
        TokenUnlearnError: If the holdout cannot be loaded, fits no context, holds a sample that is to be
            forgotten or retained, or is known by heart.
    """
    holdout = holdout_of(forget.name) if settings.holdout == "auto" else settings.holdout
    if settings.level is not None or holdout in ("", NONE):
        return replace(settings, holdout=holdout or NONE)
    try:
        samples = fit_context(model, load_samples(holdout), "skip").spread(READ)
    except TokenUnlearnError as error:
        raise TokenUnlearnError(f"The holdout gives no level: {error}") from None
    for part, others in (("forget set", forget), ("retained samples", retain)):
        known = {s.folded for s in others}
        if shared := [s.id for s in samples if s.folded in known]:
            raise TokenUnlearnError(
                f"The holdout gives no level: {len(shared)} of the {len(samples)} samples of "
                f'"{holdout}" are in the {part} too ({shared[0]}); name samples that the model never saw.'
            )
    if weights is None or not settings.uses_selection:
        nll = response_nll(model, model.encode_all(samples), progress=progress)
        rows = [torch.ones_like(values) for values in nll]
    else:
        held_out = score_alike(scores, model, samples, progress=progress)
        nll = [torch.tensor(x.nll) for x in held_out.samples]
        rows = [torch.tensor(w) for w in held_out.weights_like(weights).weights]
    w = torch.cat(under_control(rows, settings)).double()
    level = float(f"{float(torch.cat(nll).double() @ w / w.sum()):.3g}")
    if not level > 0:
        raise TokenUnlearnError(
            f'The holdout gives no level: the model knows the answers of "{holdout}" by heart; name samples '
            "that it never saw."
        )
    return replace(settings, level=level, holdout=holdout)
