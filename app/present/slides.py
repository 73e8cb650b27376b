"""Slides as plain values: what is said, marked and counted on one page of the presentation."""

from __future__ import annotations

from dataclasses import dataclass

from tokenunlearn.evaluation.result import wilson_interval


@dataclass(frozen=True)
class Piece:
    """Part of an answer. ``strength`` says how much of the secret it is, or was taken for, 0 to 1."""

    text: str
    strength: float = 0.0


@dataclass(frozen=True)
class Quote:
    """What was said: by whom or when, the text in pieces, and a verdict or ""."""

    label: str
    pieces: tuple[Piece, ...]
    verdict: str = ""

    @property
    def text(self) -> str:
        """What is said, without label and verdict."""
        return "".join(piece.text for piece in self.pieces)


@dataclass(frozen=True)
class Exchange:
    """One question and what was answered."""

    question: str
    quotes: tuple[Quote, ...]


@dataclass(frozen=True)
class Count:
    """How many of n questions.

    Attributes:
        label: Who was asked.
        count: Questions that it holds for.
        n: Questions asked.
    """

    label: str
    count: int
    n: int

    @property
    def share(self) -> float:
        """Share of the questions, 0..1."""
        return self.count / self.n

    @property
    def interval(self) -> tuple[float, float]:
        """95 % Wilson interval of the share, which has a width at 0 and at 1 too."""
        return wilson_interval(self.count, self.n)

    def words(self) -> str:
        """The count in words: "3 of 72 questions (95 % interval 1-12 %)", "all 72 questions (...)"."""
        low, high = self.interval
        amount = {0: f"none of {self.n:,}", self.n: f"all {self.n:,}"}.get(
            self.count, f"{self.count:,} of {self.n:,}"
        )
        return f"{amount} questions (95 % interval {percent(low)}-{percent(high)} %)"


@dataclass(frozen=True)
class Counts:
    """Counts of the same questions side by side, under one heading."""

    title: str
    bars: tuple[Count, ...]


@dataclass(frozen=True)
class Attempt:
    """One way to ask for the secret: what it gave, what it gave of another model, and how these compare."""

    title: str
    now: Count
    unseen: Count | None
    compared: str


@dataclass(frozen=True)
class Slide:
    """One page of the presentation.

    Attributes:
        key: Its name in the link.
        title: A few words.
        lead: One or two sentences that carry the message.
        exchanges: Examples.
        counts: Numbers.
        attempts: A table of ways to ask for the secret.
        points: A list.
        notes: What a reader should know: how it was counted, what is missing.
        fades: Whether the marked words fade.
    """

    key: str
    title: str
    lead: str
    exchanges: tuple[Exchange, ...] = ()
    counts: tuple[Counts, ...] = ()
    attempts: tuple[Attempt, ...] = ()
    points: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    fades: bool = False


def percent(share: float) -> str:
    """A share in whole percent; "<1" and ">99" where rounding would hide that it is not 0 or 1."""
    percent = 100 * share
    if 0 < percent < 0.5:
        return "<1"
    if 99.5 < percent < 100:
        return ">99"
    return f"{percent:.0f}"
