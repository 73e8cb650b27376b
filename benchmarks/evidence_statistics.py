"""What the result files of the study show: fronts, and paired differences from uniform weights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from statistics import median

import numpy as np

from benchmarks.study_plan import RULES, STUDIED, Row
from tokenunlearn.evaluation.result import draw_interval

DRAWS, SEED = 1000, 0
# Shares of the start model's utility at which methods are compared; their mean counts.
LEVELS = np.linspace(0.95, 1.0, 21)
BASELINE = "uniform"
# Outcomes of a forgotten answer that is not as it should be: the secret kept, or the sentence lost.
SPOILED = ("leaks", "broken")


@dataclass(frozen=True)
class Gap:
    """A paired difference from uniform weights, with its 95 % interval; below 0 is closer to the retrained.

    Attributes:
        value: The difference.
        low: Lower end.
        high: Upper end.
        seeds: Seeds that both methods have.
        n: Questions that have a value.
    """

    value: float
    low: float
    high: float
    seeds: int
    n: int

    @property
    def relation(self) -> str:
        """Whether the method is "closer" or "farther"; "open" where the interval includes 0."""
        return "closer" if self.high < 0 else "farther" if self.low > 0 else "open"


class Front:
    """The models that a run passes through, from the start model on, and those in proportion between two.

    Args:
        cell: The cell's row.
        head: The world's row.
    """

    def __init__(self, cell: Row, head: Row) -> None:
        points = [head["start"], *cell["curve"]]
        self.ratio = np.array([point["ratio"] for point in points], float)  # (points, n)
        self.utility = np.array([point["utility"] for point in points]) / head["start"]["utility"]
        p = np.array([point["p"] for point in points], float)
        self.gaps = np.abs(p - np.array(head["retrained"]["p"], float))  # (points, n)

    def at(self, level: float) -> np.ndarray:
        """(points,) shares of the points in the closest model to the retrained one that keeps some utility.

        Args:
            level: Share of the start model's utility to keep, at most 1.
        """
        size = len(self.utility)
        candidates = [np.eye(size)[i] for i in np.flatnonzero(self.utility >= level)]
        for i, (before, after) in enumerate(pairwise(self.utility)):
            if (before - level) * (after - level) < 0:
                share = (before - level) / (before - after)
                candidates.append((1 - share) * np.eye(size)[i] + share * np.eye(size)[i + 1])
        return min(candidates, key=lambda shares: shares @ np.nanmean(self.gaps, axis=1))

    @cached_property
    def shares(self) -> np.ndarray:
        """(points,) shares of the points, mean over the levels."""
        return np.mean([self.at(level) for level in LEVELS], axis=0)

    @property
    def area(self) -> float:
        """Area under the front, 0..1: 1 where the retrained model is reached at no cost."""
        distances = np.nanmean(self.gaps, axis=1)
        return 1 - float(self.shares @ distances / distances[0])


def ks_statistics(own: np.ndarray, other: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """(draws,) Kolmogorov-Smirnov statistic between two samples, of resamples of their rows.

    Args:
        own: (n,) values of one model.
        other: (n,) values of the other on the same rows.
        counts: (draws, n) how often each row is drawn.
    """
    values = np.concatenate([own, other])
    order = values.argsort(kind="stable")
    steps = np.concatenate([counts, -counts], axis=1)[:, order].cumsum(1) / counts.sum(1, keepdims=True)
    ordered = values[order]
    last = np.append(ordered[1:] != ordered[:-1], True)  # of equal values
    return np.abs(steps[:, last]).max(1)


class World:
    """Results of one world.

    Args:
        rows: Rows of its file.
    """

    def __init__(self, rows: Sequence[Row]) -> None:
        self.head, *others = rows
        self.plan: Row = self.head["world"]
        self.trials = [row for row in others if row["kind"] == "trial"]
        self.cells = [row for row in others if row["kind"] == "cell"]
        # those of the plan, and others that were run
        self.seeds = len({*range(self.plan["seeds"]), *(cell["seed"] for cell in self.cells)})
        self._fronts: dict[int, Front] = {}

    @property
    def objectives(self) -> list[str]:
        """Those of the study, and others that were run."""
        return list(dict.fromkeys([*STUDIED, *(cell["objective"] for cell in self.cells)]))

    @property
    def expected(self) -> int:
        """Cells of the whole study."""
        return len(self.objectives) * len(RULES) * self.seeds

    def of(self, objective: str, rule: str) -> dict[int, Row]:
        """Seed -> cell of a method."""
        return {
            cell["seed"]: cell
            for cell in self.cells
            if (cell["objective"], cell["rule"]) == (objective, rule)
        }

    def front(self, cell: Row) -> Front:
        """The front of a cell."""
        return self._fronts.setdefault(id(cell), Front(cell, self.head))

    @cached_property
    def _counts(self) -> np.ndarray:
        """(1 + draws, n) how often each question is drawn; the first row is the sample itself."""
        n = len(self.head["forget_ids"])
        drawn = np.random.default_rng(SEED).multinomial(n, np.full(n, 1 / n), DRAWS)
        return np.concatenate([np.ones((1, n), int), drawn])

    def _distance(self, cell: Row) -> tuple[np.ndarray, int]:
        """(1 + draws,) distance from the retrained model at equal utility, and questions with gold tokens."""
        front = self.front(cell)
        gaps = front.shares @ front.gaps
        known = ~np.isnan(gaps)
        counts = self._counts[:, known]
        return counts @ gaps[known] / counts.sum(1).clip(1), int(known.sum())

    def _ks(self, cell: Row) -> tuple[np.ndarray, int]:
        """(1 + draws,) statistic of forget quality at equal utility, and questions with wrong answers."""
        front, other = self.front(cell), np.array(self.head["retrained"]["ratio"], float)
        known = ~np.isnan(front.ratio).any(0) & ~np.isnan(other)
        counts = self._counts[:, known]
        statistics = [ks_statistics(own[known], other[known], counts) for own in front.ratio]
        return front.shares @ np.stack(statistics), int(known.sum())

    def _spoiled(self, cell: Row) -> tuple[np.ndarray, int]:
        """(1 + draws,) share of the forgotten answers that leak or are broken, at the tuned step, and n."""
        spoiled = np.array([outcome in SPOILED for outcome in cell["outcomes"]], float)
        return self._counts @ spoiled / self._counts.sum(1), len(spoiled)

    def gap(self, objective: str, rule: str, measure: str) -> Gap | None:
        """Difference of a method from uniform weights, over seeds and questions; None where one is missing.

        Args:
            objective: The objective of both.
            rule: The rule.
            measure: "distance" or "ks", both at equal utility, or "spoiled", at the tuned step.
        """
        own, uniform = self.of(objective, rule), self.of(objective, BASELINE)
        seeds = sorted(own.keys() & uniform.keys())
        if not seeds or rule == BASELINE:
            return None

        values = {"distance": self._distance, "ks": self._ks, "spoiled": self._spoiled}[measure]
        pairs = [(values(own[seed]), values(uniform[seed])) for seed in seeds]
        gaps = np.stack([of_own - of_uniform for (of_own, _), (of_uniform, _) in pairs])  # (S, 1 + draws)
        drawn = np.random.default_rng(SEED + 1).integers(0, len(seeds), (DRAWS, len(seeds)))
        spread = gaps[drawn, np.arange(1, DRAWS + 1)[:, None]].mean(1)
        low, high = draw_interval(spread)
        return Gap(float(gaps[:, 0].mean()), low, high, len(seeds), n=pairs[0][0][1])

    def hours(self) -> tuple[float, float]:
        """Processor hours that the stored rows took, and that the missing ones are expected to take."""
        spent = sum(row["cpu_seconds"] for row in (*self.trials, *self.cells))
        methods = len(self.objectives) * len(RULES)
        missing_trials = max(0, methods * self.plan["budget"]["trials"] - len(self.trials))
        left = (self.expected - len(self.cells)) * _median(self.cells) + missing_trials * _median(self.trials)
        return spent / 3600, left / 3600


def _median(rows: Sequence[Row]) -> float:
    return median(row["cpu_seconds"] for row in rows) if rows else 0.0
