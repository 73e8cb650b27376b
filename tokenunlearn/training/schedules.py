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
# Forget NLL, in levels, that is further than single steps of a run at its level go, and short of it.
FAR_PAST, FAR_SHORT = 1.5, 0.5
# What a step's forget NLL weighs in the running mean that the pace of a run is read from.
LATEST = 0.2
# Factor of beta in each step that finds the run behind, and its least share: nothing fades there any more,
# and far below it 2 / beta is infinite in float32.
SLOWER_FADING, LEAST_FADING = 0.9, 1e-6


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

    def next_fading(self, fading: float, record: Mapping[str, float], step: int) -> float:
        """Share of its beta at which the next step's forget loss fades, where it does."""
        return fading

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
class LevelPace(Schedule):
    """A smaller beta for a run that is behind: less of its level reached than of its steps done, up to half.

    The gradient of an objective such as NPO fades once an answer as a whole is improbable enough. In long
    answers that is long before each token has reached the level, which is to decide. From a quarter of the
    steps on, each step that finds the run behind lets the gradient fade later.
    """

    steps: int
    _mean: float = 0.0

    def next_fading(self, fading: float, record: Mapping[str, float], step: int) -> float:
        """A tenth less where the running mean of the forget NLL is behind, down to a millionth."""
        self._mean += LATEST * (record["forget_nll"] / max(record["level"], 1e-12) - self._mean)
        gone = step / self.steps
        behind = gone >= 0.25 and self._mean < min(gone, FAR_SHORT)
        return max(fading * SLOWER_FADING, LEAST_FADING) if behind else fading

    def state(self) -> dict[str, Any]:
        """The running mean so far."""
        return {"mean": self._mean}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a state."""
        self._mean = state["mean"]


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
        schedules += [LevelPace(settings.steps)] if objective.fades else []
    if settings.patience:
        schedules.append(LevelStop(settings.patience))
    return schedules
