"""How well a token score ranks the gold tokens: area under the ROC curve with intervals, average precision.

Pure numpy on flat arrays: N tokens of all answers, one after another.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int

from benchmarks.function_words import FUNCTION_WORDS
from tokenunlearn.attribution.sample_scores import SampleScores
from tokenunlearn.attribution.score_set import ScoreSet
from tokenunlearn.attribution.signals.text import words_of_tokens
from tokenunlearn.evaluation.metrics.token_auroc import token_auroc
from tokenunlearn.evaluation.result import draw_interval

DRAWS, SEED = 500, 0
# Selects as many tokens as hesitate, and none besides; in recited text about as many as are gold.
NO_MARGIN = {"MARGIN": 1.0, "LEAST_SHARE": 0.0, "TAIL_SHARE": 0.15}
TOFU_ROWS_PER_AUTHOR = 20

Values = Float[np.ndarray, " tokens"]
Gold = Bool[np.ndarray, " tokens"]


def cluster(sample_id: str) -> str:
    """Author or subject of a sample, by its id: what a bootstrap resamples.

    >>> cluster("tofu-3619"), cluster("prose-people-00-5"), cluster("authors-054-03")
    ('tofu-180', 'prose-people-00', 'authors-054')
    """
    stem, _, number = sample_id.rpartition("-")
    return f"{stem}-{int(number) // TOFU_ROWS_PER_AUTHOR}" if stem == "tofu" else stem


def content_tokens(x: SampleScores) -> Bool[np.ndarray, " time"]:
    """Tokens of words that are neither function words nor in the question."""
    words = words_of_tokens(x)
    return x.counts & np.array([bool(w) and w not in FUNCTION_WORDS for w in words], dtype=bool)


def average_precision(values: Values, gold: Gold) -> float:
    """Mean precision over the gold tokens from the top: sum of (R_n - R_n-1) P_n, 0..1. Chance: gold's share.

    Tokens of equal value enter together, so their order does not matter. There must be a gold token.
    """
    order = np.argsort(-values, kind="stable")
    ranked, hits = values[order], np.cumsum(gold[order])
    last = np.append(ranked[1:] != ranked[:-1], True)  # the last of each group of ties
    precision = hits[last] / (np.flatnonzero(last) + 1)
    return float((np.diff(hits[last], prepend=0) * precision).sum() / hits[-1])


def top(values: Values, count: int) -> Int[np.ndarray, " count"]:
    """Places of the so many highest values; of equal ones the first."""
    return np.argsort(-values, kind="stable")[:count]


def cluster_draws(clusters: int, draws: int = DRAWS, seed: int = SEED) -> Int[np.ndarray, "draws clusters"]:
    """How often each resample holds each cluster: as many clusters as there are, drawn with replacement."""
    shares = np.full(clusters, 1 / clusters)
    return np.random.default_rng(seed).multinomial(clusters, shares, size=draws)


def auroc_draws(
    values: Values,
    gold: Gold,
    clusters: Int[np.ndarray, " tokens"],
    draws: Int[np.ndarray, "draws clusters"],
) -> Float[np.ndarray, " draws"]:
    """AUROC of every resample; NaN where it has no gold token or nothing else.

    The gold tokens of cluster a beat the others of cluster b a fixed number of times, U_ab. So a resample
    that holds each cluster m times has ``m U m / ((m g) (m o))``, with g gold and o other tokens in each.
    """
    size = draws.shape[1]
    inside, places = values[gold], clusters[gold]
    wins = [
        np.bincount(places, _wins(inside, values[~gold & (clusters == c)]), size) for c in range(size)
    ]  # U's columns
    golds, others = (np.bincount(clusters[part], minlength=size) for part in (gold, ~gold))
    with np.errstate(invalid="ignore"):
        beaten = ((draws @ np.stack(wins, 1)) * draws).sum(1)
        areas: np.ndarray = beaten / ((draws @ golds) * (draws @ others))
    return areas


def _wins(inside: np.ndarray, others: np.ndarray) -> np.ndarray:
    """(G,) how many of the others each value exceeds, ties counting half."""
    ordered = np.sort(others)
    return (np.searchsorted(ordered, inside, "left") + np.searchsorted(ordered, inside, "right")) / 2


def row_auroc(values: Values, gold: Gold, rows: Int[np.ndarray, " tokens"]) -> float | None:
    """Mean AUROC within the answers that have both gold and other tokens; None if there are none."""
    starts = np.flatnonzero(np.diff(rows, prepend=-1))[1:]
    areas = [
        _wins(v[g], v[~g]).mean() / (~g).sum()
        for v, g in zip(np.split(values, starts), np.split(gold, starts), strict=True)
        if g.any() and not g.all()
    ]
    return float(np.mean(areas)) if areas else None


def with_interval(
    values: Values,
    gold: Gold,
    clusters: Int[np.ndarray, " tokens"],
    draws: Int[np.ndarray, "draws clusters"],
) -> list[float | None]:
    """AUROC and its 95 % interval over resampled clusters.

    None for what does not exist: the area without gold or without other tokens, the interval of one cluster.
    Resamples without an area are left out.
    """
    if not gold.any() or gold.all():
        return [None, None, None]
    area = token_auroc([values], [gold])
    if len(np.unique(clusters)) < 2:
        return [_number(area), None, None]
    spread = auroc_draws(values, gold, clusters, draws)
    return [_number(v) for v in (area, *draw_interval(spread[np.isfinite(spread)]))]


@dataclass(frozen=True)
class Labels:
    """The judged tokens of a score set: all tokens of the samples with a gold span, less the end of turn.

    Attributes:
        places: (N,) their places among all tokens of the set, one answer after another.
        gold: (N,) whether a token states the fact.
        content: (N,) whether its word is neither a function word nor in the question.
        selected: (N,) whether the default rule selects it.
        rows: (N,) number of its sample.
        clusters: (N,) number of its author or subject.
        names: Names of the clusters.
    """

    places: Int[np.ndarray, " tokens"]
    gold: Gold
    content: Gold
    selected: Gold
    rows: Int[np.ndarray, " tokens"]
    clusters: Int[np.ndarray, " tokens"]
    names: tuple[str, ...]

    @classmethod
    def of(cls, scores: ScoreSet) -> Labels:
        """Labels of a score set that is selected from by the default rule."""
        samples = scores.samples
        keys = [cluster(x.sample_id) for x in samples]
        names = tuple(dict.fromkeys(key for x, key in zip(samples, keys, strict=True) if x.span))
        judged = np.concatenate([np.append(np.full(len(x.texts) - 1, bool(x.span)), False) for x in samples])
        rows = np.repeat(np.arange(len(samples)), [len(x.texts) for x in samples])
        numbers = np.array([names.index(key) if key in names else -1 for key in keys])
        return cls(
            places=np.flatnonzero(judged),
            gold=np.concatenate([x.gold for x in samples])[judged],
            content=np.concatenate([content_tokens(x) for x in samples])[judged],
            selected=np.concatenate(scores.weights().weights)[judged] > 0,
            rows=rows[judged],
            clusters=numbers[rows[judged]],
            names=names,
        )

    def counts(self) -> dict[str, Any]:
        """What the judged tokens are, in numbers."""
        return {
            "n_samples": len(np.unique(self.rows)),
            "n_clusters": len(self.names),
            "n_tokens": len(self.gold),
            "gold_share": _number(self.gold.mean()),
            "n_content_tokens": int(self.content.sum()),
            "content_gold_share": _number(self.gold[self.content].mean()) if self.content.any() else None,
            "selected_share": _number(self.selected.mean()),
        }

    def judge(self, values: Sequence[np.ndarray]) -> dict[str, Any]:
        """The figures of a score, (T_i,) for each sample of the set.

        Tokens whose value is NaN are left out; of the others, as many are selected as the default rule
        selects of them.
        """
        flat = np.concatenate(values).astype(float)[self.places]
        known = ~np.isnan(flat)
        flat, gold, rows, content = (a[known] for a in (flat, self.gold, self.rows, self.content))
        present, clusters = np.unique(self.clusters[known], return_inverse=True)
        draws = cluster_draws(len(present))
        hits = gold[top(flat, int(self.selected[known].sum()))]
        return {
            "n_samples": len(np.unique(rows)),
            "auroc": with_interval(flat, gold, clusters, draws),
            "average_precision": _number(average_precision(flat, gold)) if gold.any() else None,
            "content_auroc": with_interval(flat[content], gold[content], clusters[content], draws),
            "row_auroc": _number(row_auroc(flat, gold, rows)),
            "precision": _number(hits.mean()) if len(hits) else None,
            "recall": _number(hits.sum() / gold.sum()) if gold.any() else None,
        }


def _number(value: float | None) -> float | None:
    return None if value is None or not np.isfinite(value) else round(float(value), 4)
