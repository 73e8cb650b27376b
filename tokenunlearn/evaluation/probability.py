"""Probability of the right answer, alone or against wrong ones."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float


def answer_probability(mean_nll: Float[np.ndarray, " rows"]) -> Float[np.ndarray, " rows"]:
    """Length-normalised probability of an answer: ``exp(-mean token NLL)``. Range 0..1.

    Args:
        mean_nll: (rows,) mean NLL over response tokens, end of turn included, in nats.

    Source: TOFU, arXiv 2401.06121, section 2.2, probability on forget and retain set.
    """
    return np.exp(-np.asarray(mean_nll, dtype=float))


def choice_probability(
    correct_nll: Float[np.ndarray, " rows"], perturbed_nll: Float[np.ndarray, "rows k"]
) -> Float[np.ndarray, " rows"]:
    """Share of the right answer among itself and k wrong ones, each length-normalised. Range 0..1, chance 1 / (k + 1).

    Source: TOFU, arXiv 2401.06121, section 2.2, probability on real authors and world facts.
    """
    correct = answer_probability(correct_nll)
    return correct / (correct + answer_probability(perturbed_nll).sum(-1))
