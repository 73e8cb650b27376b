"""GradDiff, gradient difference: gradient ascent on the forget set, descent on the retained samples."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from tokenunlearn.objectives.gradient_ascent import GradientAscent


@dataclass(frozen=True)
class GradDiff(GradientAscent):
    """Gradient ascent with the NLL of the retained samples as its regularizer.

    ``L = -gamma * sum(w l) / sum(w) + lambda * mean retain NLL``; the forget term is
    :func:`~tokenunlearn.objectives.gradient_ascent.gradient_ascent` itself, the name only chooses the
    regularizer.

    Pitfall: the forget term still has no lower bound, so steps and gamma decide when forgetting ends.

    Source: TOFU, arXiv 2401.06121, gradient difference.
    """

    recommended: ClassVar[Mapping[str, Any]] = {"regularizer": "nll", "lambda_": 15.0, "steps": 25}
