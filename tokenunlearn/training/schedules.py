"""Schedules: small objects that read each step's record and decide about the steps to come."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tokenunlearn.objectives import Objective
from tokenunlearn.objectives.pdu import dual_variable
from tokenunlearn.training.settings import UnlearnSettings

# Change of lambda per step, in initial lambdas, where the retain loss is twice its bound.
DUAL_RATE = 0.1
# Forget NLL, in levels, that is further than single steps of a run at its level go.
FAR_PAST = 1.5


class Schedule:
    """What a run does after a step; by default nothing. Every process of a run reads the same records.

    A schedule of one's own joins ``UnlearnTrainer.schedules`` before training; what it carries from step to
    step travels in checkpoints.
    """

    def next_lambda(self, lambda_: float, record: Mapping[str, float], step: int) -> float:
        """Strength of the retain loss in the next step."""
        return lambda_

    def next_pull(self, pull: float, record: Mapping[str, float], step: int) -> float:
        """Strength with which the next step pulls tokens that are past their level back."""
        return pull

    def ends(self, record: Mapping[str, float], step: int) -> bool:
        """Whether training ends here; called once a step."""
        return False

    def state(self) -> dict[str, Any]:
        """What the next decisions depend on, as plain values."""
        return {}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a state."""


@dataclass
class ObjectiveLambda(Schedule):
    """Lambda as the objective adapts it."""

    objective: Objective

    def next_lambda(self, lambda_: float, record: Mapping[str, float], step: int) -> float:
        """The objective's own rule, where there is a retain loss."""
        loss = record.get("retain_loss")
        return lambda_ if loss is None else self.objective.next_lambda(lambda_, loss, step)


@dataclass
class RetainBound(Schedule):
    """Lambda as the dual variable of a bound on the retain loss, never below its initial value.

    ``lambda <- max(start, lambda + 0.1 * start * (L_r / bound - 1))``

    Source: the dual step of PDU, arXiv 2506.05314, with the initial lambda as its unit.
    """

    bound: float
    start: float

    def next_lambda(self, lambda_: float, record: Mapping[str, float], step: int) -> float:
        """More above the bound, less below."""
        rate = DUAL_RATE * self.start / self.bound
        return dual_variable(lambda_, record["retain_loss"], self.bound, rate, self.start)


class LevelHold(Schedule):
    """A hold on what is past its level, from the step on whose forget NLL is more than half above it.

    Tokens at their level are left alone, but where a step reads all of a small forget set, the optimizer's
    momentum carries them on.
    """

    def next_pull(self, pull: float, record: Mapping[str, float], step: int) -> float:
        """1 once a step was far past the level, 0 before."""
        return float(pull > 0 or record["forget_nll"] > FAR_PAST * record["level"])


@dataclass
class LevelStop(Schedule):
    """The end of a run whose forget NLL has been at its level, not far past it, for so many steps in a row.

    A step reads some of the forget samples, so the patience should be the steps in which each comes up once.
    Of a model that never saw them, too, some samples are below the mean; not every one is to be above it.
    """

    patience: int
    _steps: int = 0

    def ends(self, record: Mapping[str, float], step: int) -> bool:
        """Whether the weighted mean NLL has been there for long enough."""
        there = record["level"] <= record["forget_nll"] <= FAR_PAST * record["level"]
        self._steps = self._steps + 1 if there else 0
        return self._steps >= self.patience

    def state(self) -> dict[str, Any]:
        """Steps in a row so far."""
        return {"steps": self._steps}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a state."""
        self._steps = state["steps"]


def schedules_of(settings: UnlearnSettings, objective: Objective) -> list[Schedule]:
    """The schedules that settings ask for."""
    schedules: list[Schedule] = [ObjectiveLambda(objective)]
    if settings.retain_bound is not None:
        schedules.append(RetainBound(settings.retain_bound, settings.lambda_))
    if settings.has_level:
        schedules.append(LevelHold())
    if settings.patience:
        schedules.append(LevelStop(settings.patience))
    return schedules
