"""The plan of the study: worlds, the budget of a method in each, rules, objectives, the order of cells."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks import RESULTS
from tokenunlearn.objectives import OBJECTIVES

FOLDER = RESULTS / "study"
# The first four come first in the study; "hard" is the default.
LEADING = ("uniform", "hard", "soft", "gold")
RULES = (*LEADING, "selector", "paper", "wga", "satimp", "etw", "su", "atwu", "random", "inverted")
# What the study leaves out: rivals that benchmarks.methods compares, and refusals of whole answers.
ELSEWHERE = ("gradient_ascent", "wga", "ceu", "pdu", "tpo", "dpo", "idk")
FIRST = ("graddiff", "npo", "simnpo", "rmu", "undial")
STUDIED = (*FIRST, *(name for name in OBJECTIVES if name not in (*ELSEWHERE, *FIRST)))
# Share of the start model's utility that a tuned run is to keep, and where methods are compared.
FLOOR = 0.98
Row = dict[str, Any]


@dataclass(frozen=True)
class Budget:
    """What each method may spend.

    Attributes:
        trials: Runs of each method that choose its learning rate and lambda.
        steps: Steps of a run, the same for every method.
        every: Steps between two measurements.
        limit: Most questions that are measured of the forget and of the retained part, in each half.
        batch_size: Forget samples per step.
        retain_batch_size: Retained samples per step.
    """

    trials: int = 3
    steps: int = 24
    every: int = 8
    limit: int = 36
    batch_size: int = 12
    retain_batch_size: int = 16


SMALL = Budget()
# A first trial of 15 steps went a twentieth of the way to the retrained model, and was still on it.
SMOLLM2 = Budget(trials=2, steps=40, every=20, limit=24)
GPU = Budget(trials=8, steps=60, every=10, limit=100, retain_batch_size=36)


@dataclass(frozen=True)
class World:
    """A model, what it forgets and retains, and its budget.

    Attributes:
        name: Name of the world, and of its result file.
        model: The start model.
        suite: Suite whose parts are measured.
        forget: Split to be forgotten.
        retain: Split that training retains.
        measured: Split of retained samples that is measured.
        retrained: The retrained model, or one that stands in for it.
        stand_in: Whether the retrained model is of another architecture, trained on the same data.
        budget: What each method may spend.
        seeds: Seeds that the study is to have.
        first_layer: Runs train only the layers from this one on, where the model learned its answers; 0 for
            all. Objectives that train few modules choose them by themselves.
    """

    name: str
    model: str
    suite: str
    forget: str
    retain: str
    measured: str
    retrained: str
    stand_in: bool = False
    budget: Budget = SMALL
    seeds: int = 5
    first_layer: int = 0

    def described(self) -> Row:
        """The world as plain values; a first layer of 0 goes without saying."""
        return {name: value for name, value in asdict(self).items() if name != "first_layer" or value}


_AUTHORS = ("authors", "forget10", "retain90", "retain90")
WORLDS: dict[str, World] = {
    world.name: world
    for world in (
        World("demo", "demo", *_AUTHORS, "demo-retrained"),
        World("demo-prose", "demo-prose", "prose", "forget", "retain", "retain", "demo-prose-retrained"),
        World("demo-qwen3", "demo-qwen3", *_AUTHORS, "demo-retrained", stand_in=True),
        World("demo-neox", "demo-neox", *_AUTHORS, "demo-retrained", stand_in=True),
        World(
            "smollm2-tofu",
            "smollm2-tofu",
            "tofu",
            "forget10_first5",
            "retain90_first15",
            "retain90_first15",
            "smollm2-tofu-retrained",
            budget=SMOLLM2,
            seeds=3,
            first_layer=18,  # the adapter that taught it sits on these layers of 30
        ),
    )
}


@dataclass(frozen=True)
class Method:
    """An objective with a rule that weights its tokens."""

    objective: str
    rule: str

    @property
    def named(self) -> Row:
        """The method as plain values."""
        return {"objective": self.objective, "rule": self.rule}


def planned(
    worlds: Sequence[World], seeds: Sequence[int] | None, rules: Sequence[str], objectives: Sequence[str]
) -> list[tuple[int, World, Method]]:
    """All cells in order: by seed, leading rules first, then by world, objective and rule.

    Args:
        worlds: The worlds.
        seeds: Seeds; None for as many as each world is to have.
        rules: Names of the rules.
        objectives: Names of the objectives.
    """
    groups = [[r for r in rules if (r in LEADING) == leading] for leading in (True, False)]
    every = range(max(world.seeds for world in worlds)) if seeds is None else seeds
    return [
        (seed, world, Method(objective, rule))
        for seed in every
        for group in groups
        for world in worlds
        if seeds is not None or seed < world.seeds
        for objective in objectives
        for rule in group
    ]


def stored_rows(path: Path) -> list[Row]:
    """Rows of a world's result file: the world's own first, then trials and cells; none without a file."""
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
