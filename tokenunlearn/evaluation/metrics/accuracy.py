"""Multiple-choice accuracy: how often the right answer's letter is the likeliest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from jaxtyping import Float

from tokenunlearn.evaluation.metrics.metric import ChoiceMetric
from tokenunlearn.evaluation.result import Better, MetricResult, share_result

if TYPE_CHECKING:
    from torch import Tensor

    from tokenunlearn.datasets.choices import ChoiceSet


def accuracy(
    name: str,
    questions: ChoiceSet,
    log_probs: Sequence[Float[Tensor, " choices"] | None],
    better: Better,
) -> MetricResult:
    """Share of questions whose right letter is the likeliest, with chance and a 95 % Wilson interval.

    A tie is no right answer. Rows are 1, 0, or None for a question that does not fit the model's context.

    Args:
        name: Name of the result.
        questions: What is asked.
        log_probs: Log-probability of each choice's letter, in nats; None for a question that does not fit.
            At least one fits.
        better: "lower" for knowledge to be forgotten, "higher" for knowledge to be kept.
    """
    rows = [None if p is None else _right(p, q.answer) for p, q in zip(log_probs, questions, strict=True)]
    guesses = [1 / len(q.choices) for q, row in zip(questions, rows, strict=True) if row is not None]
    result = share_result(name, rows, [q.id for q in questions], better)
    return replace(result, chance=sum(guesses) / len(guesses))


def _right(log_p: Float[Tensor, " choices"], answer: int) -> float:
    return float((log_p >= log_p[answer]).sum() == 1)


ACCURACY = ChoiceMetric(
    "accuracy",
    "Share of multiple-choice questions whose correct letter is the most probable.",
    ("letters",),
    accuracy,
)
