"""Captions that say what a chart shows of this data."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from app.markdown import code
from app.numbers import measured
from tokenunlearn.attribution.sample_scores import SampleScores
from tokenunlearn.attribution.sensitivity import SelectionStatistics
from tokenunlearn.datasets.characters import REST

LEAST_GAP = 0.1  # of the range of the values, so that it is worth a word
NAMED = 3


def highest(sample: SampleScores, importance: np.ndarray) -> str:
    """The tokens of an answer with the highest importance."""
    values = np.nan_to_num(importance)
    texts = sample.labels
    named = [t for t, text in enumerate(texts) if values[t] > 0 and text != REST]
    top = sorted(named, key=lambda t: -values[t])[:NAMED]
    listed = ", ".join(f"{code(texts[t].strip())} ({measured(values[t])})" for t in top)
    return f"Highest importance: {listed}." if top else "No token has any importance."


def distribution(values: np.ndarray, gold: np.ndarray, threshold: float | None, unit: str) -> str:
    """What a histogram shows: the threshold's share, a gap where there is one, gold against other tokens."""
    finite = np.isfinite(values)
    values, gold = values[finite], gold[finite]
    if not values.size:
        return "No token has this score."
    parts = []
    if threshold is not None:
        count = int((values >= threshold).sum())
        parts.append(f"{count:,} of {values.size:,} tokens are at or above the threshold (dashed line).")
        if between := _gap(values):
            parts.append(f"No token lies between {measured(between[0])} and {measured(between[1])}.")
    if gold.any() and not gold.all():
        in_gold, other = np.median(values[gold]), np.median(values[~gold])
        parts.append(
            f"Median of the {int(gold.sum()):,} gold tokens {measured(in_gold)}, "
            f"of the {int((~gold).sum()):,} other tokens {measured(other)}{' nats' * (unit == 'nats')}."
        )
    return " ".join(parts) or f"{values.size:,} tokens, median {measured(np.median(values))}."


def _gap(values: np.ndarray) -> tuple[float, float] | None:
    """The widest gap between neighboring values, if it is wide."""
    ordered = np.unique(values)
    steps = np.diff(ordered)
    if not steps.size or steps.max() < LEAST_GAP * (ordered[-1] - ordered[0]):
        return None
    at = int(steps.argmax())
    return float(ordered[at]), float(ordered[at + 1])


def concentration(importance: np.ndarray, weights: np.ndarray) -> str:
    """Which share of the importance the selected tokens carry, and how many tokens carry half of it."""
    ordered = np.sort(np.nan_to_num(importance))[::-1]
    total = ordered.sum()
    if total <= 0:
        return "No token has any importance."
    half = int(np.searchsorted(np.cumsum(ordered), total / 2)) + 1
    selected = weights > 0
    share = np.nan_to_num(importance)[selected].sum() / total
    count = int(selected.sum())
    which = "selected token carries" if count == 1 else f"{count:,} selected tokens carry"
    return (
        f"Half of the importance lies on {half:,} of {len(ordered):,} tokens. "
        f"The {which} {100 * share:.0f} %."
    )


def shares(now: SelectionStatistics) -> str:
    """What the current rule selects."""
    return (
        f"The current rule selects {100 * now.tokens:.0f} % of the tokens, which carry "
        f"{100 * now.importance:.0f} % of the importance."
    )


def extremes(values: Sequence[np.ndarray], names: Sequence[str]) -> str:
    """The samples with the highest and the lowest mean score."""
    means = [float(np.nanmean(v)) if np.isfinite(v).any() else np.nan for v in values]
    if len(means) < 2 or not np.isfinite(means).any():
        return ""
    best, worst = int(np.nanargmax(means)), int(np.nanargmin(means))
    high, low = (f"{code(names[i])} ({measured(means[i])})" for i in (best, worst))
    return f"Highest mean: {high}; lowest: {low}."
