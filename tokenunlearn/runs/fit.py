"""Does a forget set fit the model: what it knows, what is selected, what to retain, how long a run takes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from tokenunlearn.attribution.answer_fit import (
    UNKNOWN_FACT_NLL,
    UNKNOWN_NLL,
    AnswerFit,
    answer_fits,
    reaching_threshold,
)
from tokenunlearn.errors import NothingSelectedError
from tokenunlearn.runs.cost import duration_text
from tokenunlearn.runs.findings import Finding, finding_json, named, nothing_selected
from tokenunlearn.runs.retained import Retained, fitting_retained

if TYPE_CHECKING:
    from tokenunlearn.attribution.score_set import ScoreSet
    from tokenunlearn.attribution.selection import Rule


@dataclass(frozen=True)
class Threshold:
    """A threshold of a hard selection.

    Attributes:
        value: The least importance of a selected token, 0..1.
        selected: Share of all tokens that it selects, 0..1.
    """

    value: float
    selected: float


@dataclass(frozen=True)
class Fit:
    """How a scored forget set fits its model.

    Attributes:
        answers: Every answer, in order.
        suggested_threshold: Threshold of a hard selection that the scores suggest, 0..1.
        reaching: The highest threshold that selects a token of every known fact; None without gold spans.
        covering: The highest one that selects all tokens of every known fact; None without gold spans.
        retained: The retained set that fits.
        seconds: Expected time of a run's training; None where it was not measured.
    """

    answers: tuple[AnswerFit, ...]
    suggested_threshold: float
    reaching: Threshold | None
    covering: Threshold | None
    retained: Retained
    seconds: float | None = None

    @property
    def unknown(self) -> tuple[str, ...]:
        """Ids of the answers that the model does not know; there is nothing to forget in them."""
        return tuple(a.sample_id for a in self.answers if not a.known)

    @property
    def unreached(self) -> tuple[str, ...]:
        """Ids of the known answers of whose fact no token is selected."""
        return tuple(a.sample_id for a in self.answers if a.known and a.coverage == 0)

    @property
    def half_reached(self) -> tuple[str, ...]:
        """Ids of the known answers of whose fact only some tokens are selected."""
        return tuple(a.sample_id for a in self.answers if a.known and a.coverage and a.coverage < 1)

    @property
    def findings(self) -> tuple[Finding, ...]:
        """One sentence for each thing to know or to mend."""
        return tuple(_findings(self))

    def to_json(self) -> dict[str, Any]:
        """Everything as plain values."""
        return {
            "answers": [asdict(a) | {"known": a.known} for a in self.answers],
            "unknown": list(self.unknown),
            "unreached": list(self.unreached),
            "half_reached": list(self.half_reached),
            "suggested_threshold": self.suggested_threshold,
            "reaching": self.reaching and asdict(self.reaching),
            "covering": self.covering and asdict(self.covering),
            "retained": asdict(self.retained),
            "seconds": self.seconds,
            "findings": [finding_json(finding) for finding in self.findings],
        }


def fit(scores: ScoreSet, rule: Rule | None = None, *, seconds: float | None = None) -> Fit:
    """How a scored forget set fits the model that it was scored with.

    Args:
        scores: The score set, with its settings and overrides.
        rule: What selects tokens; by default a hard selection at the suggested threshold.
        seconds: Expected time of a run's training, where it is known.
    """
    try:
        weights: Sequence[np.ndarray] = scores.weights(rule).weights
    except NothingSelectedError:
        weights = [np.zeros(len(s)) for s in scores.importance]
    answers = answer_fits(scores, weights)
    facts = [a.sample_id for a in answers if a.known and a.fact_nll is not None]
    tokens = np.concatenate([*scores.importance, np.empty(0)])

    def threshold(whole: bool) -> Threshold:
        value = reaching_threshold(scores, facts, whole=whole)
        return Threshold(value, float((tokens >= value).mean()))

    return Fit(
        tuple(answers),
        scores.suggested_threshold,
        threshold(whole=False) if facts else None,
        threshold(whole=True) if facts else None,
        fitting_retained(scores.model, scores.source),
        seconds,
    )


def _findings(fit: Fit) -> Iterator[Finding]:
    total, facts = len(fit.answers), sum(a.known and a.fact_nll is not None for a in fit.answers)
    if unknown := fit.unknown:
        yield Finding("not known", "warning", _unknown(fit), unknown)
    else:
        yield Finding("known", "note", f"The model knows all {total:,} answers.")
    empty = [a.sample_id for a in fit.answers if a.known and a.coverage is None and not a.selected]
    if finding := nothing_selected(empty, total):
        yield finding
    for name, ids, what in (
        ("fact not selected", fit.unreached, "no selected token"),
        ("fact half selected", fit.half_reached, "only some of their tokens selected"),
    ):
        if ids:
            have = "has" if len(ids) == 1 else "have"
            sentence = f"{len(ids):,} of {facts:,} known facts {have} {what} ({named(ids)})."
            yield Finding(name, "warning", sentence, ids)
    if facts and not fit.unreached and not fit.half_reached:
        yield Finding("facts selected", "note", f"All tokens of all {facts:,} known facts are selected.")
    if all(a.fact_nll is None for a in fit.answers):
        sentence = "No answer has a gold span, so it is not known whether its fact is selected."
        yield Finding("no facts", "note", sentence)
    retained = fit.retained
    yield Finding("retained set", "note", f"Retained set: {retained.name}. {retained.reason}")
    if fit.seconds is not None:
        yield Finding("time", "note", f"Training takes about {duration_text(fit.seconds)}.")


def _unknown(fit: Fit) -> str:
    by_fact = [a for a in fit.answers if not a.known and a.fact_nll is not None]
    values = [a.nll if a.fact_nll is None else a.fact_nll for a in fit.answers if not a.known]
    what, limit = ("facts", UNKNOWN_FACT_NLL) if by_fact else ("tokens", UNKNOWN_NLL)
    ends = dict.fromkeys(f"{value:.1f}" for value in (min(values), max(values)))
    its, it = ("its", "it") if len(fit.unknown) == 1 else ("their", "them")
    return (
        f"The model does not know {len(fit.unknown):,} of {len(fit.answers):,} answers "
        f"({named(fit.unknown)}): {its} {what} cost the model {' to '.join(ends)} nats a token "
        f"(limit: {limit:g}), so there is nothing to forget in {it}."
    )
