"""The shape of a signal: something that scores every token of a score set."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from tokenunlearn.attribution.importance import over_words
from tokenunlearn.errors import TokenUnlearnError

if TYPE_CHECKING:
    from tokenunlearn.attribution.sample_scores import SampleScores
    from tokenunlearn.attribution.score_set import ScoreSet


@dataclass(frozen=True)
class Signal:
    """One number a token that tells how likely it states the fact; the more, the likelier, as a rule.

    A new signal is one file and one line in :data:`tokenunlearn.attribution.signals.SIGNALS`.

    Attributes:
        name: Its name in tables and in the files of selectors.
        help: One sentence for lists.
        values: (T_i,) values for each sample of a score set that holds what it reads, finite.
        option: Option of :func:`~tokenunlearn.attribution.score.score` that measures what it reads; "" where
            every score set holds it.
    """

    name: str
    help: str
    values: Callable[[ScoreSet], list[np.ndarray]]
    option: str = ""

    def of(self, scores: ScoreSet) -> list[np.ndarray]:
        """(T_i,) values for each sample of a score set, finite.

        Raises:
            TokenUnlearnError: If the score set does not hold what the signal reads.
        """
        self.check(scores.options)
        return self.values(scores)

    def check(self, options: Collection[str]) -> None:
        """Refuse scores that were measured with other options.

        Raises:
            TokenUnlearnError: If the signal's option is not among them.
        """
        if self.option and self.option not in options:
            raise TokenUnlearnError(
                f'The signal "{self.name}" is not measured by default; score with the option {self.option} '
                f"(--{self.option.replace('_', '-')} on the command line)."
            )


def over_sample_words(scores: ScoreSet, values: Callable[[SampleScores], Any]) -> list[np.ndarray]:
    """(T_i,) values summed over each token's word."""
    return [over_words(np.nan_to_num(values(x)), x.words) for x in scores.samples]
