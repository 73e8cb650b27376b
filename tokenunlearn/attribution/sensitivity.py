"""How a selection changes with its rule, and how signals agree: known before any training. Pure numpy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tokenunlearn.attribution.score_set import ScoreSet
from tokenunlearn.attribution.selection import Rule, describe_rule
from tokenunlearn.errors import NothingSelectedError, TokenUnlearnError


@dataclass(frozen=True)
class SelectionStatistics:
    """What a rule selects in a score set; shares are 0..1.

    Attributes:
        rule: The rule's name and parameters.
        tokens: Share of response tokens with a weight above 0.
        importance: Share of all importance under the weights; a weight above 1 counts as 1.
        mass: Mean weight of a token: what a loss summed over tokens is scaled by, against uniform weights.
        effective: Mean over responses of (sum w)^2 / sum w^2: as many equal weights would act alike.
        precision: Share of the weight that lies on gold tokens; None without gold spans or weight.
        recall: Mean over gold tokens of their weight, above 1 counting as 1; None without gold spans.
        coverage: Share of samples with a gold span whose gold tokens all have a weight of at least the
            response's mean weight; None without gold spans.
    """

    rule: Mapping[str, Any]
    tokens: float
    importance: float
    mass: float
    effective: float
    precision: float | None
    recall: float | None
    coverage: float | None


def selection_statistics(scores: ScoreSet, rule: Rule) -> SelectionStatistics:
    """Statistics of the weights that a rule and the score set's overrides give.

    Precision, recall and coverage count only samples that have a gold span.

    Raises:
        TokenUnlearnError: If the score set holds no response token.
    """
    try:
        weights = list(scores.weights(rule).weights)
    except NothingSelectedError:
        weights = [np.zeros(len(s)) for s in scores.importance]
    lengths = np.array([len(v) for v in weights], dtype=int)
    if not lengths.sum():
        raise TokenUnlearnError("The score set has no response tokens, so nothing can be selected.")
    w, s = np.concatenate(weights), np.concatenate(scores.importance)
    gold = np.concatenate([x.gold for x in scores.samples])
    lengths = lengths[lengths > 0]
    starts = np.cumsum(lengths) - lengths
    sums, squares = np.add.reduceat(w, starts), np.add.reduceat(w**2, starts)
    spanned = np.logical_or.reduceat(gold, starts)
    enough = w >= np.repeat(np.maximum(sums / lengths, 1e-12), lengths)
    whole = np.logical_and.reduceat(enough | ~gold, starts)[spanned]
    near, total = float(sums[spanned].sum()), float(s.sum())
    some = bool(spanned.any())
    return SelectionStatistics(
        rule=describe_rule(rule),
        tokens=float((w > 0).mean()),
        importance=float((np.minimum(w, 1.0) * s).sum() / total) if total > 0 else 0.0,
        mass=float(w.mean()),
        effective=float(np.divide(sums**2, squares, out=np.zeros(len(sums)), where=squares > 0).mean()),
        precision=float(w[gold].sum() / near) if some and near > 0 else None,
        recall=float(np.minimum(w[gold], 1.0).mean()) if some else None,
        coverage=float(whole.mean()) if some else None,
    )


def rank_agreement(signals: Mapping[str, Sequence[float] | np.ndarray]) -> np.ndarray:
    """Spearman rank correlation of each pair of signals, -1..1, (S, S); NaN where a signal is constant.

    Tokens that any signal lacks (NaN) are left out of all pairs.
    """
    from scipy.stats import rankdata

    values = np.array([np.asarray(v, dtype=np.float64) for v in signals.values()])
    values = values[:, np.isfinite(values).all(0)]
    ranks = np.array([rankdata(v) for v in values]) if values.size else values
    ranks = ranks - ranks.mean(1, keepdims=True) if ranks.size else ranks
    length = np.sqrt((ranks**2).sum(1))
    norm = np.outer(length, length)
    return np.divide(ranks @ ranks.T, norm, out=np.full(norm.shape, np.nan), where=norm > 0)
