"""Truth ratio: how likely wrong answers of the same form are, relative to the right one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
from jaxtyping import Float

from tokenunlearn.errors import TokenUnlearnError
from tokenunlearn.evaluation.metrics.metric import PartMetric

if TYPE_CHECKING:
    from tokenunlearn.evaluation.measurement import MeasuredPart

TruthRatioForm = Literal["geometric_mean", "prob_mean"]


def truth_ratio(
    correct_nll: Float[np.ndarray, " rows"],
    perturbed_nll: Float[np.ndarray, "rows k"],
    form: TruthRatioForm = "geometric_mean",
) -> Float[np.ndarray, " rows"]:
    """Mean probability of the wrong answers over that of the right one.

    Below 1 the model knows the fact.

    Args:
        correct_nll: (rows,) length-normalized NLL of the paraphrased right answer, in nats.
        perturbed_nll: (rows, k) the same of k wrong answers of the same form.
        form: How wrong answers are averaged: "geometric_mean" of their probabilities, as TOFU's code does,
            or "prob_mean", their arithmetic mean, as its equation is written.

    Range: 0 upwards; a model that knows nothing of the fact scatters around 1.

    Raises:
        TokenUnlearnError: If the form is unknown.

    Source: TOFU, arXiv 2401.06121, equation 1.
    """
    correct, perturbed = np.asarray(correct_nll, dtype=float), np.asarray(perturbed_nll, dtype=float)
    with np.errstate(over="ignore"):
        if form == "geometric_mean":
            return np.exp(correct - perturbed.mean(-1))
        if form == "prob_mean":
            return np.exp(correct[..., None] - perturbed).mean(-1)
    raise TokenUnlearnError(f'There is no truth ratio form "{form}"; use geometric_mean or prob_mean.')


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


def _raw(part: MeasuredPart) -> list[np.ndarray | None]:
    return [None if nll is None else truth_ratio(*nll, part.forms.truth_ratio)[0] for nll in part.answer_nlls]


def _reported(part: MeasuredPart) -> list[np.ndarray | None]:
    reported = forget_truth_ratio if part.role == "forget" else utility_truth_ratio
    return [None if ratio is None else reported(ratio) for ratio in _raw(part)]


RAW_TRUTH_RATIO = PartMetric(
    "truth_ratio_raw",
    "Probability of wrong answers of the same form divided by that of the correct one.",
    ("wrong answers",),
    _raw,
    roles=("forget",),
    better="retrained",
)
TRUTH_RATIO = PartMetric(
    "truth_ratio",
    "The truth ratio as TOFU reports it: min(r, 1/r) on the forget set, max(0, 1 - r) elsewhere.",
    ("wrong answers",),
    _reported,
    better="higher",
    without={"wrong answers": "no truth ratio, because its rows have no perturbed answers."},
)
