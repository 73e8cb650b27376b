"""Probability of the right answer, alone or against wrong ones."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float


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
