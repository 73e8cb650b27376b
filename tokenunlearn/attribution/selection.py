"""From importance to token weights: hard selection, soft weighting, uniform. Pure numpy."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Protocol

import numpy as np

from tokenunlearn.errors import NothingSelectedError, TokenUnlearnError
from tokenunlearn.settings import plain_number, shortened

Overrides = Mapping[int, bool]

DEFAULT_TEMPERATURE = 0.1
LEAST = float(np.nextafter(0.0, 1.0))  # the least number above 0


def threshold_at(importance: float) -> float:
    """The threshold that just selects an importance: rounded down to six digits, and 0 only for 0."""
    return math.floor(1e6 * importance) / 1e6 or importance


class Rule(Protocol):
    """Turns importance into weights; hard selection, soft weighting and uniform weights are rules."""

    def weights(self, importance: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Weights w_t >= 0, one (T_i,) array per sample."""
        ...

    def override(self, weights: np.ndarray, overrides: Overrides) -> np.ndarray:
        """Weights of one sample with tokens forced in (True) or out (False) by a person."""
        ...


def _forced(weights: np.ndarray, overrides: Overrides, top: float = 1.0) -> np.ndarray:
    weights = weights.copy()
    for position, inside in overrides.items():
        weights[position] = top if inside else 0.0
    return weights


@dataclass(frozen=True)
class HardSelection:
    """Weight 1 for important tokens, 0 for the rest, by one of three criteria.

    Without any, a score set chooses the threshold from its scores (``ScoreSet.suggested_threshold``).

    Attributes:
        threshold: Selects tokens with importance s_t >= threshold.
        quantile: The threshold is this quantile of the importance over the whole set, 0..1; tokens of
            importance 0 stay out.
        top_share: Selects this share of each response's tokens, the most important ones, at least one.
    """

    threshold: float | None = None
    quantile: float | None = None
    top_share: float | None = None

    def __post_init__(self) -> None:
        """Refuse several criteria, and values outside 0..1."""
        given = {k: v for k, v in asdict(self).items() if v is not None}
        if len(given) > 1:
            raise TokenUnlearnError("Hard selection takes only one of threshold, quantile and top_share.")
        for name, value in given.items():
            number = plain_number(name, value, "be a number between 0 and 1")
            if not 0.0 <= number <= 1.0:
                raise TokenUnlearnError(f"{name} is {shortened(number)}; it must be between 0 and 1.")
            object.__setattr__(self, name, number)

    @property
    def chosen(self) -> bool:
        """Whether a criterion is given."""
        return any(value is not None for value in asdict(self).values())

    def weights(self, importance: Sequence[np.ndarray]) -> list[np.ndarray]:
        """1 where a token is selected, else 0; tokens without an importance (NaN) count as 0."""
        importance = [np.nan_to_num(s, nan=0.0) for s in importance]
        if self.top_share is not None:
            return [_top(s, self.top_share) for s in importance]
        least = self.least(importance)
        return [(s >= least).astype(np.float64) for s in importance]

    def least(self, importance: Sequence[np.ndarray]) -> float:
        """The importance from which on a threshold or a quantile selects tokens; NaN counts as 0."""
        if self.threshold is not None:
            return self.threshold
        if self.quantile is None:
            raise TokenUnlearnError("Hard selection without a threshold needs a score set to choose it from.")
        every = np.nan_to_num(np.concatenate([*importance, np.empty(0)]), nan=0.0)
        return max(float(np.quantile(every, self.quantile)) if every.size else 0.0, LEAST)

    def override(self, weights: np.ndarray, overrides: Overrides) -> np.ndarray:
        """Forced tokens get 1 or 0."""
        return _forced(weights, overrides)


def _top(importance: np.ndarray, share: float) -> np.ndarray:
    count = min(len(importance), max(1, round(share * len(importance))))
    weights = np.zeros(len(importance))
    weights[np.argsort(-importance, kind="stable")[:count]] = 1.0
    return weights


@dataclass(frozen=True)
class SoftWeighting:
    """w_t = T * softmax(s / temperature)_t over the response: mean 1, most on the most important tokens.

    Attributes:
        temperature: Above 0. Large gives uniform weights, small puts all weight on the most important token.
    """

    temperature: float

    def __post_init__(self) -> None:
        """Refuse temperatures that are not positive numbers."""
        number = plain_number("temperature", self.temperature, "be a number above 0")
        if not number > 0:
            raise TokenUnlearnError(f"temperature is {shortened(number)}; it must be above 0.")
        object.__setattr__(self, "temperature", number)

    def weights(self, importance: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Softmax of each response's importance, scaled to mean 1; NaN counts as 0."""
        weights = []
        for s in importance:
            s = np.nan_to_num(s, nan=0.0)
            with np.errstate(over="ignore"):  # a tiny temperature sends what lies below the maximum to -inf
                shifted = np.exp((s - s.max(initial=-np.inf)) / self.temperature)
            weights.append(len(s) * shifted / shifted.sum())
        return weights

    def override(self, weights: np.ndarray, overrides: Overrides) -> np.ndarray:
        """Forced in is the largest weight, forced out is 0; the mean stays 1 while any weight is left."""
        weights = _forced(weights, overrides, weights.max(initial=0.0))
        total = weights.sum()
        return len(weights) * weights / total if total > 0 else weights


@dataclass(frozen=True)
class Uniform:
    """Weight 1 for every response token: the sequence-level method."""

    def weights(self, importance: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Ones."""
        return [np.ones(len(s)) for s in importance]

    def override(self, weights: np.ndarray, overrides: Overrides) -> np.ndarray:
        """Forced tokens get 1 or 0."""
        return _forced(weights, overrides)


@dataclass(frozen=True)
class TokenWeights:
    """Weights of every response token of a forget set, and where they come from.

    Attributes:
        sample_ids: Ids of the samples, in order.
        weights: (T_i,) for each sample.
        rule: The rule's name and parameters.
        score_hash: Hash of the score set, "" for weights made without one.
    """

    sample_ids: tuple[str, ...]
    weights: tuple[np.ndarray, ...]
    rule: Mapping[str, Any]
    score_hash: str = ""

    @property
    def selected(self) -> int:
        """Number of tokens with a weight above 0."""
        return int(sum((w > 0).sum() for w in self.weights))

    @property
    def tokens(self) -> int:
        """Number of response tokens."""
        return sum(len(w) for w in self.weights)

    @property
    def empty(self) -> tuple[str, ...]:
        """Ids of the samples without a selected token."""
        pairs = zip(self.sample_ids, self.weights, strict=True)
        return tuple(sample_id for sample_id, w in pairs if not (w > 0).any())


# A new rule is one class and one line here.
RULES: dict[str, type[Any]] = {"hard": HardSelection, "soft": SoftWeighting, "uniform": Uniform}


def describe_rule(rule: Rule) -> dict[str, Any]:
    """A rule's name and parameters, as stored with a run: {"selection": "hard", "threshold": 0.8}.

    A rule that is not listed in ``RULES`` goes by the name of its class.
    """
    names = {kind: name for name, kind in RULES.items()}
    parameters = {k: v for k, v in asdict(rule).items() if v is not None}  # type: ignore[call-overload]
    return {"selection": names.get(type(rule), type(rule).__name__), **parameters}


def make_weights(
    sample_ids: Sequence[str],
    importance: Sequence[np.ndarray],
    rule: Rule,
    overrides: Mapping[str, Overrides] | None = None,
    score_hash: str = "",
) -> TokenWeights:
    """Weights of a whole forget set under a rule and overrides.

    Raises:
        NothingSelectedError: If no token of any sample has a weight above 0.
    """
    overrides = overrides or {}
    ruled = rule.weights(importance)
    weights = tuple(
        rule.override(w, overrides.get(sample_id, {})) for sample_id, w in zip(sample_ids, ruled, strict=True)
    )
    result = TokenWeights(tuple(sample_ids), weights, describe_rule(rule), score_hash)
    if result.selected == 0:
        if result.tokens == 0:
            raise NothingSelectedError("No token is selected: there are no response tokens.")
        if any(w.any() for w in ruled):
            raise NothingSelectedError(
                "No token is selected: all selected tokens are forced out by overrides."
            )
        highest = max(float(np.nan_to_num(s, nan=0.0).max(initial=0.0)) for s in importance)
        if highest == 0:
            raise NothingSelectedError(
                "No token is selected: every token has importance 0, so nothing tells them apart; choose "
                "other importance settings, or uniform weights."
            )
        if "threshold" not in result.rule:
            raise NothingSelectedError(
                f'No token is selected: the rule "{result.rule["selection"]}" gives every token weight 0.'
            )
        raise NothingSelectedError(
            f"No token is selected (threshold {result.rule['threshold']:g}); the highest importance is "
            f"{highest:.3f}, so lower the threshold."
        )
    return result
