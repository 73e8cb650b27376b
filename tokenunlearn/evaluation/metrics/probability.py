"""Probability of the right answer, alone or against wrong ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from tokenunlearn.evaluation.metrics.metric import PartMetric

if TYPE_CHECKING:
    from tokenunlearn.evaluation.measurement import MeasuredPart


def answer_probability(mean_nll: Float[np.ndarray, " rows"]) -> Float[np.ndarray, " rows"]:
    """Length-normalized probability of an answer: ``exp(-mean token NLL)``. Range 0..1.

    Args:
        mean_nll: (rows,) mean NLL over response tokens, end of turn included, in nats.

    Source: TOFU, arXiv 2401.06121, section 2.2, probability on forget and retain set.
    """
    return np.exp(-np.asarray(mean_nll, dtype=float))


def choice_probability(
    correct_nll: Float[np.ndarray, " rows"], perturbed_nll: Float[np.ndarray, "rows k"]
) -> Float[np.ndarray, " rows"]:
    """Share of the right answer among itself and k wrong ones, each length-normalized. Range 0..1.

    Chance is 1 / (k + 1).

    Args:
        correct_nll: (rows,) mean NLL of the right answer's tokens, end of turn included, in nats.
        perturbed_nll: (rows, k) the same of the wrong answers.

    Source: TOFU, arXiv 2401.06121, section 2.2, probability on real authors and world facts.
    """
    correct = np.asarray(correct_nll, dtype=float)[:, None]
    with np.errstate(over="ignore"):  # a wrong answer that is beyond all measure likelier leaves 0
        return 1.0 / (1.0 + np.exp(correct - np.asarray(perturbed_nll, dtype=float)).sum(-1))


def _rows(part: MeasuredPart) -> Sequence[float | None] | np.ndarray:
    """Against the wrong answers where a part is judged by them, else of the answer alone."""
    if part.role == "options" and part.has("wrong answers"):
        return [None if nll is None else choice_probability(*nll)[0] for nll in part.answer_nlls]
    return answer_probability(np.array([t.nll.mean() for t in part.tokens]))


PROBABILITY = PartMetric(
    "probability",
    "Length-normalized probability of the answer; for one of several options, its share among them.",
    ("tokens",),
    _rows,
    roles=("forget", "retain", "options", "holdout"),
)
