"""Token weights that follow the model in training: the forget set is scored and selected from again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import torch

from tokenunlearn.attribution.score import score_alike
from tokenunlearn.attribution.selection import TokenWeights
from tokenunlearn.datasets.samples import Sample
from tokenunlearn.errors import TokenUnlearnError
from tokenunlearn.models.forward import Progress
from tokenunlearn.models.loaded_model import LoadedModel

if TYPE_CHECKING:
    from tokenunlearn.attribution.score_set import ScoreSet


class Rescoring:
    """Scores a forget set with the model as it is, and weights its tokens by the rule of the first weights.

    A hard selection takes as large a share of the tokens as at first, so its threshold follows the scores;
    what a person forced in or out stays so.

    Args:
        model: The model in training.
        forget: The forget set.
        weights: The first weights.
        scores: The score set that they are from; None for the default settings.

    Raises:
        TokenUnlearnError: If there are no weights.
    """

    def __init__(
        self,
        model: LoadedModel,
        forget: Sequence[Sample],
        weights: TokenWeights | None,
        scores: ScoreSet | None,
    ) -> None:
        if weights is None:
            raise TokenUnlearnError("rescore needs token weights that come from scores; there are none.")
        self.model, self.forget, self.first, self.scores = model, forget, weights, scores

    def weights(self, progress: Progress | None = None) -> TokenWeights:
        """The weights now; the model is left as it was.

        Args:
            progress: Called with samples done and in all.
        """
        training = self.model.model.training
        self.model.model.eval()
        try:
            with torch.no_grad():
                scores = score_alike(self.scores, self.model, self.forget, progress=progress)
        finally:
            self.model.model.train(training)
        overrides = self.scores.overrides if self.scores else {}
        return replace(scores, overrides=overrides).weights_like(self.first)
