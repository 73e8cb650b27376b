"""Does a selection fit its forget set? What to know of it before a run is started. Pure numpy."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from tokenunlearn.attribution.reading import Reading, hesitation_split
from tokenunlearn.attribution.sample_scores import SampleScores
from tokenunlearn.attribution.score_set import ScoreSet


@dataclass(frozen=True)
class SelectionCheck:
    """What is remarkable about the weights of a forget set.

    Attributes:
        tokens: Number of tokens of the answers.
        selected: Tokens with a weight above 0.
        units: Number of words and names, as the reading takes them.
        partial: Id of the answer and text of each word or name of which only some tokens have a weight.
        reading: How the entropy is read.
        suggested: How the scores would have it read: "sharp" or "tail".
        words: Number of words that do not repeat the question.
        hesitant: Share of these, 0..1, at which the model hesitates; of use where ``suggested`` is "sharp".
    """

    tokens: int
    selected: int
    units: int
    partial: tuple[tuple[str, str], ...]
    reading: Reading
    suggested: Reading
    words: int
    hesitant: float


def check_selection(scores: ScoreSet, weights: Sequence[np.ndarray]) -> SelectionCheck:
    """What is remarkable about these weights.

    Args:
        scores: The score set that they were made from, with its settings.
        weights: (T_i,) weight of each sample's tokens, >= 0.
    """
    pairs = list(zip(scores.samples, weights, strict=True))
    entropies = scores.word_entropies
    hesitant = entropies >= hesitation_split(entropies)
    units = [x.units[scores.reading] for x in scores.samples]
    return SelectionCheck(
        tokens=sum(len(w) for w in weights),
        selected=int(sum((w > 0).sum() for w in weights)),
        units=sum(len(np.unique(u[x.in_words])) for x, u in zip(scores.samples, units, strict=True)),
        partial=tuple(
            (x.sample_id, text)
            for (x, w), u in zip(pairs, units, strict=True)
            for text in _partial(x, w > 0, u)
        ),
        reading=scores.reading,
        suggested=scores.chosen_reading,
        words=len(entropies),
        hesitant=float(hesitant.mean()) if hesitant.size else 0.0,
    )


def _partial(sample: SampleScores, selected: np.ndarray, units: np.ndarray) -> Iterator[str]:
    """Texts of the units of which some tokens are selected and others not."""
    if not units.size:
        return
    tokens, hits = np.bincount(units), np.bincount(units, selected)
    for unit in np.flatnonzero((hits > 0) & (hits < tokens)):
        places = [sample.offsets[t] for t in np.flatnonzero(units == unit)]
        yield sample.answer[min(a for a, _ in places) : max(b for _, b in places)].strip()
