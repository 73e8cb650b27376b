"""Importance s_t: knowledge and entropy score, normalized and mixed. Pure numpy; no forward pass."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from tokenunlearn.attribution.reading import Reading
from tokenunlearn.settings import Settings, setting

Aggregation = Literal["sum", "max", "absolute"]
Normalizer = Literal["rank", "minmax"]
Scope = Literal["set", "sample"]
Fusion = Literal["product", "sum"]
Direction = Literal["uncertain", "certain"]
Granularity = Literal["word", "highest", "token"]


@dataclass(frozen=True)
class ImportanceSettings(Settings):
    """Parameters that turn measured signals into importance; changing one needs no forward pass."""

    alpha: float = setting(
        0.0, "Mix: 1 uses only the knowledge score, 0 only the entropy.", minimum=0, maximum=1
    )
    reading: Reading = setting(
        "auto",
        "sharp: entropy at temperature 1, for models that are uncertain at facts; tail: entropy at "
        "temperature 4, for text the model recites; auto: chosen from the scores; plain: entropy at "
        "temperature 1, with no lower weight for lowercase words or words that repeat the question.",
    )
    fusion: Fusion = setting(
        "product", "product: k^alpha * h^(1-alpha), high only if both are high; sum: alpha*k + (1-alpha)*h."
    )
    normalizer: Normalizer = setting(
        "rank", "rank: share of tokens with a lower score; minmax: linear to 0..1."
    )
    scope: Scope = setting("set", "Normalize over the whole forget set or per sample.")
    aggregation: Aggregation = setting(
        "sum", "Over contexts: sum or max of positive values, or sum of absolute values."
    )
    copy_guard: bool = setting(
        True,
        "Lower the importance of words that repeat the question; in the plain reading, only their knowledge "
        "score is set to 0.",
    )
    direction: Direction = setting(
        "uncertain", "Whether uncertain or certain tokens get a high entropy score."
    )
    granularity: Granularity = setting(
        "word",
        "word: each token gets the sum of the scores of its word or name; highest: their maximum; token: "
        "its own score.",
    )


def knowledge_score(
    losses: np.ndarray, copied: np.ndarray, aggregation: Aggregation = "sum", copy_guard: bool = True
) -> np.ndarray:
    """Knowledge score k_t, in nats, (T,): what masking cost each token, over all contexts.

    Args:
        losses: (C, T) loss for each context, in nats.
        copied: (T,) tokens that repeat the question.
        aggregation: "sum" or "max" of the positive part over contexts, or "absolute" for the sum of absolute
            values.
        copy_guard: Whether copied tokens score 0.
    """
    if aggregation == "absolute":
        score = np.abs(losses).sum(0)
    elif aggregation == "sum":
        score = np.clip(losses, 0, None).sum(0)
    else:
        score = np.clip(losses, 0, None).max(0, initial=0.0)
    return np.where(copied, 0.0, score) if copy_guard else score


def normalize(values: np.ndarray, normalizer: Normalizer) -> np.ndarray:
    """Map scores to 0..1, (N,).

    NaN scores lowest; constant scores, having nothing to tell apart, all become 0.5. Infinite scores
    count as the largest or smallest finite one.

    "rank": (average rank - 1) / (N - 1). "minmax": (x - min) / (max - min).
    """
    values = np.asarray(values, dtype=np.float64)
    finite = values[np.isfinite(values)]
    low, high = (finite.min(), finite.max()) if finite.size else (0.0, 0.0)
    values = np.nan_to_num(values, nan=low, posinf=high, neginf=low)
    if high <= low:
        return np.full(values.shape, 0.5)
    if normalizer == "minmax":
        return (values - low) / (high - low)
    ordered = np.sort(values)
    below = np.searchsorted(ordered, values, side="left")
    not_above = np.searchsorted(ordered, values, side="right")
    return (below + not_above - 1) / (2 * (values.size - 1))  # the average rank of ties


def over_words(score: np.ndarray, words: np.ndarray, granularity: Granularity = "word") -> np.ndarray:
    """(T,) a score of each token's word; NaN only where the whole word has none.

    By the chain rule the sum of the entropies, or of the NLLs, of a word's tokens is that of the whole word,
    on average over what its first tokens may be.

    Args:
        score: (T,) one score a token.
        words: (T,) number of the word that each token belongs to.
        granularity: "word" for the sum of the word's scores, "highest" for the highest, "token" for each
            token's own.
    """
    score = np.asarray(score, dtype=np.float64)
    if granularity == "token" or not score.size:
        return score
    count = int(words.max(initial=-1)) + 1
    if granularity == "highest":
        highest = np.full(count, np.nan)
        np.fmax.at(highest, words, score)
        return highest[words]
    known = ~np.isnan(score)
    total = np.bincount(words, np.where(known, score, 0.0), count)
    total[np.bincount(words, known, count) == 0] = np.nan
    return total[words]


def importance(
    knowledge: Sequence[np.ndarray],
    entropy: Sequence[np.ndarray],
    settings: ImportanceSettings,
    words: Sequence[np.ndarray] | None = None,
    factors: Sequence[np.ndarray] | None = None,
) -> list[np.ndarray]:
    """Importance s_t of every token, 0..1, one (T_i,) array per sample.

    Args:
        knowledge: (T_i,) knowledge score of each sample's tokens, in nats.
        entropy: (T_i,) entropy score, in nats.
        settings: How they are normalized and mixed.
        words: (T_i,) number of the word that each token belongs to; without it every token is its own word.
        factors: (T_i,) 0..1, what the text alone says of each token; without it 1.

    Source: arXiv 2605.00364 for the mix; rank normalization, the product, the word granularity and the
    factors are this project's own.
    """
    bounds = np.cumsum([len(scores) for scores in knowledge])[:-1]
    k = np.concatenate([*knowledge, np.empty(0)])
    h = np.concatenate([*entropy, np.empty(0)]) * (1.0 if settings.direction == "uncertain" else -1.0)
    if words is not None:
        numbers = _numbered(words)
        k, h = (over_words(signal, numbers, settings.granularity) for signal in (k, h))
    k, h = _normalized(k, bounds, settings), _normalized(h, bounds, settings)
    a = settings.alpha
    mixed = a * k + (1 - a) * h if settings.fusion == "sum" else k**a * h ** (1 - a)
    if factors is not None:
        mixed = mixed * np.concatenate([*factors, np.empty(0)])
    return np.split(mixed, bounds) if len(knowledge) else []


def _numbered(words: Sequence[np.ndarray]) -> np.ndarray:
    """(N,) the samples' words one after another, numbered through the whole set."""
    counts = [int(w.max(initial=-1)) + 1 for w in words]
    firsts = np.cumsum([0, *counts])
    parts = [w + first for w, first in zip(words, firsts, strict=False)]
    return np.concatenate([*parts, np.empty(0, dtype=int)])


def _normalized(scores: np.ndarray, bounds: np.ndarray, settings: ImportanceSettings) -> np.ndarray:
    """(N,) scores mapped to 0..1 over the set or each sample; samples end at ``bounds`` and at the end."""
    if settings.scope == "set":
        return normalize(scores, settings.normalizer)
    return np.concatenate([normalize(mine, settings.normalizer) for mine in np.split(scores, bounds)])
