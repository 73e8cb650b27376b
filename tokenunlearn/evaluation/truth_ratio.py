"""Truth ratio: how likely wrong answers of the same form are, relative to the right one."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float


def truth_ratio(
    correct_nll: Float[np.ndarray, " rows"], perturbed_nll: Float[np.ndarray, "rows k"]
) -> Float[np.ndarray, " rows"]:
    """Geometric mean probability of the wrong answers over that of the right one.

    Below 1 the model knows the fact.

    Args:
        correct_nll: (rows,) length-normalised NLL of the paraphrased right answer, in nats.
        perturbed_nll: (rows, k) the same of k wrong answers of the same form.

    Range: 0 upwards; a model that knows nothing of the fact scatters around 1.
    Source: TOFU, arXiv 2401.06121, equation 1, with the geometric mean over wrong answers as in its code.
    """
    correct = np.asarray(correct_nll, dtype=float)
    with np.errstate(over="ignore"):
        return np.exp(correct - np.asarray(perturbed_nll, dtype=float).mean(-1))


def utility_truth_ratio(ratio: Float[np.ndarray, " rows"]) -> Float[np.ndarray, " rows"]:
    """What enters model utility: ``max(0, 1 - ratio)``, higher where the fact is known. Range 0..1.

    Source: TOFU, arXiv 2401.06121, section 2.2.
    """
    return np.clip(1.0 - np.asarray(ratio, dtype=float), 0.0, None)


def forget_truth_ratio(ratio: Float[np.ndarray, " rows"]) -> Float[np.ndarray, " rows"]:
    """What is reported on a forget set: ``min(ratio, 1 / ratio)``. Range 0..1.

    Near 1 where right and wrong answers are alike; it falls for a model that knows the fact and for one that
    has learned to avoid it.

    Source: TOFU, arXiv 2401.06121, section 2.2.
    """
    ratio = np.asarray(ratio, dtype=float)
    with np.errstate(divide="ignore", over="ignore"):
        return np.minimum(ratio, 1.0 / ratio)
