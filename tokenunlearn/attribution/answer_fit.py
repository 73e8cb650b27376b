"""Does the model know an answer, and does a selection reach its fact? Pure numpy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tokenunlearn.attribution.sample_scores import SampleScores
from tokenunlearn.attribution.score_set import ScoreSet
from tokenunlearn.attribution.selection import threshold_at

UNKNOWN_NLL = 2.0
"""Mean NLL from which on an answer counts as not known to the model, in nats a token.

At 2 nats a token has a probability of 0.14 on average. No paper sets this line; it is this project's choice.
"""
UNKNOWN_FACT_NLL = 1.5
"""Mean NLL of a fact's tokens from which on it counts as not known to the model, in nats a token.

This project's choice, measured on its own models. For the 444 answers of the shipped score sets, which
their models were trained on, the highest value is 1.34. For 240 facts that a model never saw (demo-retrained,
smollm2-authors-retrained, demo-prose-retrained) all but 10 lie above 1.5, up to 12; a model that knows the
form of the answers can guess those. The mean over the whole answer does not tell known from unknown where
most words are predictable: smollm2-prose-retrained stays below 0.9 nats a token on answers whose facts cost
it 4 to 12.
"""


@dataclass(frozen=True)
class AnswerFit:
    """One answer of a forget set.

    Attributes:
        sample_id: The sample's id.
        nll: Mean NLL of the response, in nats a token.
        fact_nll: Mean NLL of the tokens of its gold spans, in nats a token; None without a gold span.
        selected: Share of the response's tokens with a weight above 0.
        coverage: Share of the fact's tokens with a weight above 0; None without a gold span.
    """

    sample_id: str
    nll: float
    fact_nll: float | None
    selected: float
    coverage: float | None

    @property
    def known(self) -> bool:
        """Whether the model knows the answer: by its fact where there is a gold span, else as a whole."""
        if self.fact_nll is not None:
            return self.fact_nll <= UNKNOWN_FACT_NLL
        return self.nll <= UNKNOWN_NLL


def answer_fits(scores: ScoreSet, weights: Sequence[np.ndarray]) -> list[AnswerFit]:
    """Every answer of a score set under these weights.

    Args:
        scores: The score set.
        weights: (T_i,) weight of each sample's tokens, >= 0.
    """
    return [_answer_fit(x, w > 0) for x, w in zip(scores.samples, weights, strict=True)]


def _answer_fit(sample: SampleScores, selected: np.ndarray) -> AnswerFit:
    gold = sample.gold
    return AnswerFit(
        sample.sample_id,
        mean_nll(sample.nll),
        mean_nll(sample.nll[gold]) if gold.any() else None,
        float(selected.mean()) if selected.size else 0.0,
        float(selected[gold].mean()) if gold.any() else None,
    )


def reaching_threshold(scores: ScoreSet, sample_ids: Sequence[str], *, whole: bool = False) -> float:
    """The highest threshold that selects a token of each of these samples' facts, or the whole fact, 0..1."""
    wanted, end = set(sample_ids), np.min if whole else np.max
    highest = [
        float(end(np.nan_to_num(s[x.gold])))
        for x, s in zip(scores.samples, scores.importance, strict=True)
        if x.sample_id in wanted and x.gold.any()
    ]
    return threshold_at(min(highest, default=1.0))


def whole_words(scores: ScoreSet, weights: Sequence[np.ndarray]) -> dict[str, list[int]]:
    """Sample id -> positions that complete the words and names of which only some tokens are selected."""
    missing = {}
    for x, w in zip(scores.samples, weights, strict=True):
        units, selected = x.units[scores.reading], w > 0
        touched = np.isin(units, units[selected & x.in_words]) & x.in_words
        if (positions := np.flatnonzero(touched & ~selected)).size:
            missing[x.sample_id] = positions.tolist()
    return missing


def mean_nll(nll: np.ndarray) -> float:
    """Mean of token NLLs in nats a token; 0 where none was measured."""
    known = nll[np.isfinite(nll)]
    return float(known.mean()) if known.size else 0.0
