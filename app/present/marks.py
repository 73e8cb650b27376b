"""What of an answer is the secret, what was marked as such, and how often the marks miss it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from app.present.slides import Piece
from tokenunlearn.attribution.score_set import ScoreSet
from tokenunlearn.attribution.selection import TokenWeights


@dataclass(frozen=True)
class Marks:
    """How the marked word pieces of a set lie to the secret.

    Attributes:
        pieces: Word pieces of all answers.
        marked: Those that were marked.
        answers: Answers whose secret is known.
        missed: Of these, answers without a mark on the secret.
        beside: Marked word pieces of these answers that are not part of the secret.
        near: Marked word pieces of these answers.
    """

    pieces: int
    marked: int
    answers: int
    missed: int
    beside: int
    near: int


def count_marks(scores: ScoreSet, weights: TokenWeights, least: float) -> Marks:
    """Count the tokens with a weight above ``least``, and those on and beside gold spans."""
    marked = [row > least for row in weights.weights]
    known = [(m, s.gold) for m, s in zip(marked, scores.samples, strict=True) if s.gold.any()]
    return Marks(
        pieces=sum(map(len, marked)),
        marked=int(sum(row.sum() for row in marked)),
        answers=len(known),
        missed=sum(not (m & gold).any() for m, gold in known),
        beside=int(sum((m & ~gold).sum() for m, gold in known)),
        near=int(sum(m.sum() for m, _ in known)),
    )


def marked_pieces(
    answer: str, offsets: Sequence[tuple[int, int]], weights: Sequence[float] | np.ndarray
) -> tuple[Piece, ...]:
    """An answer cut where its marking changes; what several tokens share takes the strongest weight.

    Args:
        answer: The answer.
        offsets: (T,) character ranges of the tokens in the answer.
        weights: (T,) weights, at least 0; the largest one is strength 1.
    """
    top = max((float(w) for w in weights), default=0.0)
    strengths = [0.0] * len(answer)
    for (start, end), weight in zip(offsets, weights, strict=True):
        for i in range(start, min(end, len(answer))):
            strengths[i] = max(strengths[i], float(weight) / top if top > 0 else 0.0)
    return _joined(answer, strengths)


def secret_pieces(text: str, facts: Sequence[str]) -> tuple[Piece, ...]:
    """A text with the facts in it at strength 1, whatever their case."""
    strengths = [0.0] * len(text)
    for fact in filter(None, facts):
        for match in re.finditer(rf"(?<!\w){re.escape(fact)}(?!\w)", text, re.IGNORECASE):
            strengths[match.start() : match.end()] = [1.0] * (match.end() - match.start())
    return _joined(text, strengths)


def _joined(text: str, strengths: Sequence[float]) -> tuple[Piece, ...]:
    pieces: list[Piece] = []
    for character, strength in zip(text, strengths, strict=True):
        if pieces and pieces[-1].strength == strength:
            pieces[-1] = Piece(pieces[-1].text + character, strength)
        else:
            pieces.append(Piece(character, strength))
    return tuple(pieces)
