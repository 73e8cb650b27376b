"""A learned selector: logistic regression on the signals of score sets, fitted on marked facts."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tokenunlearn.attribution.importance import normalize, over_words
from tokenunlearn.attribution.signals import SIGNALS
from tokenunlearn.errors import FileError, TokenUnlearnError
from tokenunlearn.files import write_json
from tokenunlearn.stored import fitted, parse_json, read_text

if TYPE_CHECKING:
    from tokenunlearn.attribution.score_set import ScoreSet

FORMAT = 1
LEAST_ROWS = 5
PENALTY = 1.0


@dataclass(frozen=True)
class Selector:
    """Weights of signals; the importance it gives a token is the probability that it states the fact.

    Every signal enters as its rank over the set, so that a selector fitted with one model serves another.

    Attributes:
        name: What it is called.
        signals: Names of the signals, in order.
        weights: A weight for each signal.
        bias: Log-odds of a token whose ranks are all 0.5.
        fitted_on: Score sets it was fitted on, "smollm2-prose prose:retain (264 samples)".
    """

    name: str
    signals: tuple[str, ...]
    weights: tuple[float, ...]
    bias: float
    fitted_on: tuple[str, ...] = ()

    @property
    def hash(self) -> str:
        """First 12 hex digits of a sha256 over the selector."""
        text = json.dumps(asdict(self), sort_keys=True, ensure_ascii=False)
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    def check(self, options: Collection[str]) -> None:
        """Refuse scores that were measured with other options.

        Raises:
            TokenUnlearnError: If a signal's option is not among them.
        """
        for name in self.signals:
            SIGNALS[name].check(options)

    def importance(self, scores: ScoreSet) -> list[np.ndarray]:
        """(T_i,) probability that each token states the fact, 0..1; 0 on punctuation and the end of turn.

        Every token takes the highest probability of its word or name, so that these are selected whole.

        Raises:
            TokenUnlearnError: If the scores do not hold one of the signals.
        """
        logits = features_of(scores, self.signals) @ np.array(self.weights) + self.bias
        probability = 1 / (1 + np.exp(-np.clip(logits, -50, 50)))
        bounds = np.cumsum([len(x.texts) for x in scores.samples])[:-1]
        parts = np.split(probability, bounds) if len(scores) else []
        return [
            np.where(x.in_words, over_words(part, x.units[scores.chosen_reading], "highest"), 0.0)
            for part, x in zip(parts, scores.samples, strict=True)
        ]

    def to_json(self) -> dict[str, Any]:
        """Its JSON form."""
        return {"format": FORMAT, **asdict(self)}

    def save(self, path: str | Path) -> Path:
        """Write it as JSON."""
        write_json(Path(path), self.to_json())
        return Path(path)

    @classmethod
    def load(cls, path: str | Path) -> Selector:
        """Read a selector.

        Raises:
            TokenUnlearnError: If the file is missing or does not hold a selector.
        """
        path = Path(path)
        if not os.path.isfile(path):
            raise TokenUnlearnError(
                f'There is no selector "{path}"; fit one with: tokenunlearn selector fit.'
            )
        try:
            values = parse_json(read_text(path), f'The selector "{path}"')
        except FileError as error:
            raise TokenUnlearnError(str(error)) from None
        return cls.from_json(values, f'The selector "{path}"')

    @classmethod
    def from_json(cls, values: Any, what: str) -> Selector:
        """A selector from its JSON form; ``what`` names it in the error.

        Raises:
            TokenUnlearnError: If a field is missing or has another form.
        """
        if not isinstance(values, Mapping) or values.get("format") != FORMAT:
            raise TokenUnlearnError(f"{what} is not a selector of format {FORMAT}.")
        selector: Selector = fitted(values, cls, what)
        unknown = [s for s in selector.signals if s not in SIGNALS]
        if unknown:
            raise TokenUnlearnError(
                f'{what} uses the unknown signal "{unknown[0]}"; known signals: {", ".join(SIGNALS)}.'
            )
        if not selector.signals or len(selector.weights) != len(selector.signals):
            raise TokenUnlearnError(
                f"{what} must have one weight per signal; it has {len(selector.signals)} signals."
            )
        return selector


def features_of(scores: ScoreSet, signals: Sequence[str]) -> np.ndarray:
    """(N, S) ranks of the signals over the set, centered at 0."""
    values = [np.concatenate([*SIGNALS[name].of(scores), np.empty(0)]) for name in signals]
    return np.stack([normalize(v, "rank") - 0.5 for v in values], axis=1)


def fit_selector(
    name: str,
    score_sets: Sequence[ScoreSet],
    signals: Sequence[str] | None = None,
    *,
    penalty: float = PENALTY,
) -> Selector:
    """Fit a selector on score sets whose answers have gold spans.

    Minimizes the mean binary cross-entropy over the tokens of words, each set counting alike, plus
    ``penalty / N`` times the squared weights. Samples without a span are left out.

    Args:
        name: What to call it.
        score_sets: What to learn from; samples need gold spans.
        signals: Names of the signals to use; by default all that every score set holds.
        penalty: Strength of the pull towards 0.

    Raises:
        TokenUnlearnError: If fewer than five samples have a gold span, a span covers every word of them, or a
            score set does not hold one of the signals.
    """
    from scipy.optimize import minimize

    if signals is None:
        held = [{"", *scores.options} for scores in score_sets]
        signals = [name for name, one in SIGNALS.items() if all(one.option in options for options in held)]
    parts = []
    for scores in score_sets:
        features = features_of(scores, signals)
        gold = np.concatenate([*(x.gold for x in scores.samples), np.empty(0, bool)])
        marked = np.concatenate([*(x.in_words & bool(x.span) for x in scores.samples), np.empty(0, bool)])
        inputs = np.concatenate([features, np.ones((len(features), 1))], axis=1)[marked]  # (N, S + 1)
        parts.append((inputs, gold[marked].astype(float)))
    rows = sum(bool(x.span) for scores in score_sets for x in scores.samples)
    if rows < LEAST_ROWS:
        raise TokenUnlearnError(
            f"{rows} of the samples have gold spans; a selector needs at least {LEAST_ROWS}, "
            "preferably ten or more."
        )
    parts = [(x, y) for x, y in parts if len(y)]  # a set without a marked fact tells nothing
    if not all(0 < y.mean() < 1 for _, y in parts):
        raise TokenUnlearnError("The gold spans cover every word or none, so there is nothing to learn.")
    count = sum(len(y) for _, y in parts)

    def loss(w: np.ndarray) -> tuple[float, np.ndarray]:
        value, slope = penalty / count * float(w[:-1] @ w[:-1]), np.zeros_like(w)
        slope[:-1] = 2 * penalty / count * w[:-1]
        for x, y in parts:
            z = x @ w
            value += float(np.mean(np.logaddexp(0, z) - y * z)) / len(parts)
            slope += x.T @ (1 / (1 + np.exp(-np.clip(z, -50, 50))) - y) / len(y) / len(parts)
        return value, slope

    start = np.zeros(len(signals) + 1)
    fitted = minimize(loss, start, jac=True, method="L-BFGS-B").x
    sources = tuple(f"{s.model} {s.source} ({len(s)} samples)" for s in score_sets)
    *weights, bias = (round(float(w), 6) for w in fitted)
    return Selector(name, tuple(signals), tuple(weights), bias, sources)
