"""The shape of a signal: something that scores every token of a score set."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tokenunlearn.attribution.importance import over_words

if TYPE_CHECKING:
    from tokenunlearn.attribution.score_set import SampleScores, ScoreSet


@dataclass(frozen=True)
class Signal:
    """One number a token that tells how likely it states the fact; the more, the likelier, as a rule.

    A new signal is one file and one line in :data:`tokenunlearn.attribution.signals.SIGNALS`.

    Attributes:
        name: Its name in tables and in the files of selectors.
        help: One sentence for lists.
        of: (T_i,) values for each sample of a score set, finite.
    """

    name: str
    help: str
    of: Callable[[ScoreSet], list[np.ndarray]]


def over_sample_words(scores: ScoreSet, values: Callable[[SampleScores], np.ndarray]) -> list[np.ndarray]:
    """(T_i,) values summed over each token's word."""
    return [over_words(np.nan_to_num(values(x)), x.words) for x in scores.samples]
