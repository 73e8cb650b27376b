"""Objectives and regularisers: pure functions of (batch, time) tensors, and their parameters by name.

Nothing here imports torch before a loss is computed, so forms and help texts cost nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import TYPE_CHECKING, Any, Protocol

from tokenunlearn.errors import TokenUnlearnError
from tokenunlearn.objectives.gradient_ascent import GradientAscent, gradient_ascent
from tokenunlearn.objectives.npo import NPO, npo
from tokenunlearn.objectives.regularisers import KLToReference, RetainNLL, kl_to_reference
from tokenunlearn.objectives.step import ForgetStep, RetainStep

if TYPE_CHECKING:
    from torch import Tensor


class Objective(Protocol):
    """A forget loss with its parameters."""

    needs_reference: bool

    def loss(self, step: ForgetStep) -> Tensor:
        """Scalar loss of one batch of forget samples."""
        ...


class Regulariser(Protocol):
    """A retain loss."""

    needs_reference: bool

    def loss(self, step: RetainStep) -> Tensor:
        """Scalar loss of one batch of retained samples."""
        ...


# A new objective is one file and one line here; so is a new regulariser.
OBJECTIVES: dict[str, type[Any]] = {"npo": NPO, "gradient_ascent": GradientAscent}
REGULARISERS: dict[str, type[Any] | None] = {"kl": KLToReference, "nll": RetainNLL, "none": None}


def make_objective(name: str, parameters: Mapping[str, float]) -> Objective:
    """An objective by name, with parameters by name.

    Raises:
        TokenUnlearnError: If the name is unknown or a parameter is not the objective's.
    """
    if name not in OBJECTIVES:
        raise TokenUnlearnError(f'There is no objective "{name}"; use one of {", ".join(OBJECTIVES)}.')
    kind = OBJECTIVES[name]
    known = [f.name for f in fields(kind)]
    for parameter in parameters:
        if parameter not in known:
            takes = f"takes {', '.join(known)}" if known else "takes no parameters"
            raise TokenUnlearnError(f'The objective "{name}" has no parameter "{parameter}"; it {takes}.')
    made: Objective = kind(**parameters)
    return made


def make_regulariser(name: str) -> Regulariser | None:
    """A regulariser by name; None for "none".

    Raises:
        TokenUnlearnError: If the name is unknown.
    """
    if name not in REGULARISERS:
        raise TokenUnlearnError(f'There is no regulariser "{name}"; use one of {", ".join(REGULARISERS)}.')
    kind = REGULARISERS[name]
    return kind() if kind else None


__all__ = [
    "NPO",
    "OBJECTIVES",
    "REGULARISERS",
    "ForgetStep",
    "GradientAscent",
    "KLToReference",
    "Objective",
    "Regulariser",
    "RetainNLL",
    "RetainStep",
    "gradient_ascent",
    "kl_to_reference",
    "make_objective",
    "make_regulariser",
    "npo",
]
