"""Does a figure differ from the retrained model's, or is it at the same level? Intervals of differences."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from tokenunlearn.evaluation.result import RESAMPLES, SEED, draw_interval, normal_quantile, wilson_interval

Relation = Literal["same", "above", "below", "open"]
LEVEL = 0.95
# Two one-sided tests at 5 % are an interval of 90 % inside the margin.
EQUIVALENCE_LEVEL = 0.9
# Fewer rows say nothing about a mean.
FEWEST_ROWS = 20


@dataclass(frozen=True)
class Figure:
    """What is known of one measure of one model.

    Attributes:
        value: The figure.
        n: Rows behind it.
        ids: Ids of the rows; () where the figure is not a mean of rows, or they are not known.
        rows: Their values.
        interval: 95 % interval of a figure without rows, which give their own.
    """

    value: float
    n: int
    ids: tuple[str, ...] = ()
    rows: tuple[float, ...] = ()
    interval: tuple[float, float] | None = None

    @classmethod
    def of(cls, ids: Sequence[str], rows: Sequence[float]) -> Figure:
        """The mean of rows; at least one."""
        return cls(float(np.mean(rows)), len(rows), tuple(ids), tuple(map(float, rows)))

    def on(self, ids: Sequence[str]) -> Figure | None:
        """The figure on some of its rows, in their order; None where it has not all of them."""
        known = dict(zip(self.ids, self.rows, strict=True))
        return Figure.of(ids, [known[i] for i in ids]) if ids and known.keys() >= set(ids) else None

    def within(self, other: Figure) -> Figure | None:
        """The figure on those of its rows that another one has, None without any; itself without rows."""
        return self.on([i for i in self.ids if i in other.ids]) if self.rows else self

    @property
    def counted(self) -> bool:
        """Whether it is a share of rows that are 1 or 0."""
        return bool(self.rows) and set(self.rows) <= {0.0, 1.0}

    def bounds(self, level: float = LEVEL) -> tuple[float, float] | None:
        """Its interval: Wilson's of a share or of rows without spread, else a bootstrap of the rows.

        Figures without rows have the interval that came with them, else Wilson's, which is at least as wide
        as that of any mean between 0 and 1; None where there is none.
        """
        if not self.counted and len(set(self.rows)) > 1:
            return draw_interval(_means(np.array(self.rows)), level)
        if self.interval:
            return self.interval
        if self.n and 0 <= self.value <= 1:
            return wilson_interval(self.value * self.n, self.n, level)
        return None


@dataclass(frozen=True)
class Difference:
    """A figure minus the retrained model's.

    Attributes:
        value: The difference.
        low: Lower end of its interval.
        high: Upper end.
        level: Level of the interval: 0.95, or 0.9 for two one-sided tests of being at the same level.
        method: How the interval was made.
    """

    value: float
    low: float
    high: float
    level: float
    method: str


def difference(own: Figure, retrained: Figure, level: float = LEVEL) -> Difference | None:
    """The difference of two figures with an interval; None where nothing gives one.

    On the same rows: Newcombe's interval for paired shares, or a bootstrap of the paired differences. Else
    Newcombe's for independent shares, or its form for any two figures with intervals (MOVER). Means of fewer
    than 20 rows that are not counts have none.

    Args:
        own: Of the unlearned model.
        retrained: Of the retrained model.
        level: Of the interval.

    Source: Newcombe 1998, Statistics in Medicine 17, 873 and 2635; Zou & Donner 2008, Statistics in Medicine
    27, 1693.
    """
    same_rows = retrained.on(own.ids)
    paired = same_rows is not None
    retrained = same_rows or retrained
    counted = own.counted and retrained.counted
    if not counted and own.rows and min(own.n, retrained.n) < FEWEST_ROWS:
        return None
    value = own.value - retrained.value
    if paired and not counted:
        gaps = np.array(own.rows) - np.array(retrained.rows)
        if np.ptp(gaps):
            low, high = draw_interval(_means(gaps), level)
            return Difference(value, low, high, level, "bootstrap of paired rows")
    own_bounds, bounds = own.bounds(level), retrained.bounds(level)
    if own_bounds is None or bounds is None:
        return None
    correlation = _correlation(own.rows, retrained.rows) if paired and counted else 0.0
    (own_low, own_high), (low, high) = own_bounds, bounds
    shares = "Newcombe, paired rows" if paired else "Newcombe, independent rows"
    return Difference(
        value,
        value - _distance(own.value - own_low, high - retrained.value, correlation),
        value + _distance(own_high - own.value, retrained.value - low, correlation),
        level,
        shares if counted else "both intervals",
    )


def relation(own: Figure, retrained: Figure, margin: float) -> tuple[Relation, Difference | None]:
    """How a figure stands to the retrained model's, and the interval that says so.

    "same" where the 90 % interval of the difference is inside the margin, else "above" or "below" where the
    95 % interval does not hold 0, else "open".

    Args:
        own: Of the unlearned model.
        retrained: Of the retrained model.
        margin: Largest difference that counts as the same level, in the unit of the figure.
    """
    narrow = difference(own, retrained, EQUIVALENCE_LEVEL)
    if narrow and -margin <= narrow.low and narrow.high <= margin:
        return "same", narrow
    gap = difference(own, retrained)
    if gap is None:
        return "open", None
    if gap.low > 0:
        return "above", gap
    return ("below" if gap.high < 0 else "open"), gap


def fewest_questions(margin: float) -> int:
    """Fewest questions that can show two shares to be at the same level: with none right by either model.

    >>> fewest_questions(0.05)
    52
    """
    z = normal_quantile(EQUIVALENCE_LEVEL)
    return math.ceil(z * z * (1 - margin) / margin)


def _means(rows: np.ndarray) -> np.ndarray:
    """(resamples,) means of bootstrap resamples of the rows; the same rows always give the same."""
    drawn = np.random.default_rng(SEED).integers(0, len(rows), (RESAMPLES, len(rows)))
    means: np.ndarray = rows[drawn].mean(1)
    return means


def _distance(own: float, retrained: float, correlation: float) -> float:
    return math.sqrt(own * own + retrained * retrained - 2 * correlation * own * retrained)


def _correlation(own: Sequence[float], retrained: Sequence[float]) -> float:
    """Correlation of paired rows that are 1 or 0, with Newcombe's correction; 0 where one has no spread."""
    pairs = list(zip(own, retrained, strict=True))
    both, first, second, none = (pairs.count(pair) for pair in ((1, 1), (1, 0), (0, 1), (0, 0)))
    scale = (both + first) * (second + none) * (both + second) * (first + none)
    excess = float(both * none - first * second)
    if excess > 0:
        excess = max(excess - len(pairs) / 2, 0.0)
    return excess / math.sqrt(scale) if scale else 0.0
