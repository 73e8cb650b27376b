"""The ways of the study to weight tokens: rules made before the first step, and published weightings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np

import tokenunlearn as tu
from benchmarks.selectivity import gold_tokens, top_quantile
from benchmarks.study_measures import Case
from tokenunlearn.attribution.atwu import atwu_scores
from tokenunlearn.attribution.controls import CONTROLS
from tokenunlearn.attribution.score_set import ScoreSet
from tokenunlearn.attribution.selection import DEFAULT_TEMPERATURE, TokenWeights, make_weights
from tokenunlearn.attribution.selector import Selector
from tokenunlearn.folders import ASSETS
from tokenunlearn.objectives import WEIGHTINGS

SELECTOR = ASSETS / "selectors" / "worlds.json"
ATWU_RETAINED = 400  # samples of the retained set that its scorer reads


class Rules:
    """Token weights of a world, each scored once.

    Args:
        case: The world.
    """

    def __init__(self, case: Case) -> None:
        self.case = case

    @cached_property
    def _scores(self) -> ScoreSet:
        return tu.score(self.case.model, self.case.forget, cache=True)

    @cached_property
    def _default(self) -> TokenWeights:
        return self._scores.weights()

    @property
    def selection(self) -> dict[str, Any]:
        """What the default selects: its rule, and tokens selected and in all."""
        return {**self._default.rule, "selected": self._default.selected, "tokens": self._default.tokens}

    @cached_property
    def _as_many(self) -> tu.HardSelection:
        """Selects as many tokens as the default does, the highest."""
        return tu.HardSelection(quantile=top_quantile(self._default.selected, self._default.tokens))

    @cached_property
    def _atwu(self) -> list[np.ndarray]:
        model, retain = self.case.model, self.case.retain.spread(ATWU_RETAINED)
        return [
            np.asarray(s, float)
            for s in atwu_scores(model, model.encode_all(self.case.forget), model.encode_all(retain))
        ]

    def weights(self, rule: str) -> TokenWeights | None:
        """Token weights of the forget set; None for all tokens alike, or where a weighting makes them."""
        ids = [sample.id for sample in self.case.forget]
        if rule == "uniform" or rule in WEIGHTINGS:
            return None
        if rule == "soft":
            return self._scores.weights(tu.SoftWeighting(temperature=DEFAULT_TEMPERATURE))
        if rule == "gold":
            encodings = self.case.model.encode_all(self.case.forget)
            gold = [gold_tokens(e, s).astype(float) for e, s in zip(encodings, self.case.forget, strict=True)]
            return TokenWeights(tuple(ids), tuple(gold), {"selection": "gold"})
        if rule == "selector":
            return replace(self._scores, selector=Selector.load(SELECTOR)).weights()
        if rule == "paper":
            scores = tu.score(self.case.model, self.case.forget, preset="paper", cache=True)
            return scores.weights(self._as_many)
        if rule == "atwu":
            return make_weights(ids, self._atwu, self._as_many)
        return self._default

    def settings(self, rule: str) -> Mapping[str, Any]:
        """Settings of a run under the rule."""
        if rule in WEIGHTINGS:
            base = {"base_model": self.case.world.retrained} if rule == "su" else {}
            return {"weighting": rule, **base}
        return {"control": rule} if rule in CONTROLS and rule != "uniform" else {}
