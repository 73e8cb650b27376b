"""What a judge of language is, and the limit above which an answer counts as broken."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from jaxtyping import Float

from tokenunlearn.datasets.samples import Sample, word_spans

# One in so many fluent reference answers may lie above the limit.
FLUENT_PER_ALARM = 50


class Judge(Protocol):
    """Says how little an answer looks like language.

    A new judge is one file and one line in :data:`tokenunlearn.evaluation.judges.JUDGES`.
    """

    name: str

    def oddness(self, samples: Sequence[Sample], answers: Sequence[str]) -> Float[np.ndarray, " rows"]:
        """(rows,) one value an answer to a sample's question, 0 upwards; higher is less like language."""
        ...


@dataclass(frozen=True)
class Fluency:
    """A judge with its limit.

    Attributes:
        judge: The judge.
        limit: Answers with more oddness than this are broken.
        reference: Whose answers the limit was set on.
        n: How many they were.
    """

    judge: Judge
    limit: float
    reference: str
    n: int

    @classmethod
    def calibrated(
        cls, judge: Judge, samples: Sequence[Sample], answers: Sequence[str], reference: str
    ) -> Fluency:
        """The lowest limit that at most 2 % of fluent answers exceed.

        Args:
            judge: The judge.
            samples: At least one sample whose answers are fluent; none that was forgotten.
            answers: An answer to each.
            reference: Whose answers they are.
        """
        odd = judge.oddness(samples, answers)
        limit = float(np.sort(odd)[-1 - len(odd) // FLUENT_PER_ALARM])
        return cls(judge, limit, reference, len(samples))

    def broken(self, samples: Sequence[Sample], answers: Sequence[str]) -> list[bool]:
        """Which answers are not language; one without a word never is language."""
        odd = self.judge.oddness(samples, answers)
        return [bool(value > self.limit) or not word_spans(a) for value, a in zip(odd, answers, strict=True)]

    @property
    def settings(self) -> dict[str, Any]:
        """What a report needs to say of it."""
        return {
            "judge": self.judge.name,
            "broken_above": self.limit,
            "broken_calibrated_on": f"{self.n} {self.reference}",
        }
