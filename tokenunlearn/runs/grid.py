"""Grids of runs: lists of values become configurations, with their controls and names for what differs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from itertools import product
from typing import Any

from tokenunlearn.attribution.controls import CONTROLS
from tokenunlearn.errors import TokenUnlearnError
from tokenunlearn.objectives import DEFAULT_OBJECTIVE, OBJECTIVES, WEIGHTINGS
from tokenunlearn.settings import renamed
from tokenunlearn.training.settings import NONE, UnlearnSettings

MOST_RUNS = 100
Values = Mapping[str, Sequence[Any]]


def parse_numbers(text: str, name: str, *, whole: bool = False) -> list[Any]:
    """Numbers of a list such as "5e-4, 1e-3", each once, in order; [] for a blank text.

    Args:
        text: Numbers separated by commas.
        name: What they are, for the error.
        whole: Whether only whole numbers are meant.

    Raises:
        TokenUnlearnError: If a piece is no number.
    """
    numbers: list[Any] = []
    for piece in filter(None, map(str.strip, text.split(","))):
        try:
            number = int(piece) if whole else float(piece)
        except ValueError:
            number = math.nan
        if not math.isfinite(number):
            kind, example = ("whole numbers", "0, 1, 2") if whole else ("numbers", "5e-4, 1e-3")
            raise TokenUnlearnError(
                f'{name} has "{piece[:40]}"; use {kind} separated by commas, e.g. {example}.'
            )
        if number not in numbers:
            numbers.append(number)
    return numbers


def make_grid(values: Values) -> list[UnlearnSettings]:
    """Every combination of the values, each once; the last setting changes fastest.

    An objective is only combined with its own parameters, and a weighting with its own.

    Args:
        values: Setting -> its values; settings without values stay open. "OBJECTIVE.NAME" is a parameter of
            an objective, "weighting_WEIGHTING.NAME" one of a weighting; "NAME" and "weighting_NAME" are
            parameters of every one among the values that has them.

    Raises:
        TokenUnlearnError: If there are more than 100 combinations, or one is not allowed.
    """
    given = renamed({name: listed for name, listed in values.items() if listed})
    objectives, weightings = (
        given.pop("objective", [DEFAULT_OBJECTIVE]),
        given.pop("weighting", ["selection"]),
    )
    addressed = _addressed(given, objectives, weightings)
    common = {name: listed for name, listed in addressed.items() if "." not in name}
    plans: list[tuple[dict[str, Any], Values]] = []
    for objective, weighting in product(objectives, weightings):
        own = _own(addressed, f"{objective}.", OBJECTIVES.get(str(objective)), "")
        own |= _own(addressed, f"weighting_{weighting}.", WEIGHTINGS.get(str(weighting)), "weighting_")
        plans.append(({"objective": objective, "weighting": weighting}, own | common))
    count = sum(math.prod(len(values) for values in axes.values()) for _, axes in plans)
    _check_count(count)
    return _unique(
        UnlearnSettings.from_settings(fixed | dict(zip(axes, chosen, strict=True)))
        for fixed, axes in plans
        for chosen in product(*axes.values())
    )


def _addressed(values: Values, objectives: Sequence[str], weightings: Sequence[str]) -> dict[str, Any]:
    """The values with "beta" as "npo.beta" for every objective that has one, weightings likewise."""
    settings = {f.name for f in fields(UnlearnSettings)}
    addressed: dict[str, Any] = {}
    for name, listed in values.items():
        of_weighting = name.startswith("weighting_")
        prefix, owners = ("weighting_", weightings) if of_weighting else ("", objectives)
        known: Mapping[str, type[Any]] = WEIGHTINGS if of_weighting else OBJECTIVES
        parameter = name.removeprefix(prefix)
        owned = [
            f"{prefix}{owner}.{parameter}" for owner in owners if parameter in _names(known.get(str(owner)))
        ]
        addressed |= dict.fromkeys(owned if owned and name not in settings else [name], listed)
    return addressed


def _own(values: Values, prefix: str, kind: type[Any] | None, rename: str) -> dict[str, Sequence[Any]]:
    """The values of the parameters of one objective or weighting."""
    return {rename + name: values[prefix + name] for name in _names(kind) if prefix + name in values}


def _names(kind: type[Any] | None) -> list[str]:
    """The parameters of an objective or a weighting; none of an unknown one."""
    return [f.name for f in fields(kind)] if kind else []


def with_controls(configs: Sequence[UnlearnSettings]) -> list[UnlearnSettings]:
    """The configurations, each selection followed by its control runs: uniform, random and inverted weights.

    Nothing else differs: objective, steps, learning rate and seed are the same. Random and inverted weights
    are the weights of the selection on other tokens of the same response; uniform ones are 1 everywhere.

    Raises:
        TokenUnlearnError: If there are more than 100 runs then.
    """
    controlled: list[UnlearnSettings] = []
    for config in configs:
        controlled.append(config)
        if not config.weights_move and config.control == NONE:
            for name in CONTROLS:
                rescore = 0 if name == "uniform" else config.rescore  # uniform weights are never others
                controlled.append(replace(config, control=name, rescore=rescore))
    controlled = _unique(controlled)
    _check_count(len(controlled))
    return controlled


def _unique(configs: Any) -> list[UnlearnSettings]:
    unique: list[UnlearnSettings] = []
    for config in configs:
        if config not in unique:
            unique.append(config)
    return unique


def _check_count(count: int) -> None:
    if count > MOST_RUNS:
        raise TokenUnlearnError(
            f"The grid has {count:,} runs; at most {MOST_RUNS} can be queued at once, so use fewer values."
        )


def differences(configs: Sequence[UnlearnSettings]) -> list[str]:
    """For each configuration the settings in which it differs from others: "seed 1, learning_rate 0.001".

    One configuration alone differs in nothing. What an objective recommends is left out where the objective
    tells it already.
    """
    plain = [_flat(config) for config in configs]
    names = dict.fromkeys(name for values in plain for name in values)
    varied = [name for name in names if len({str(values.get(name, "")) for values in plain}) > 1]
    if "objective" in varied:
        varied = [name for name in varied if name == "objective" or not _told_by_objective(plain, name)]
    return [
        ", ".join(
            _text(values[name]) if name == "objective" else f"{name.rstrip('_')} {_text(values[name])}"
            for name in varied
            if values.get(name) is not None
        )
        for values in plain
    ]


def _flat(config: UnlearnSettings) -> dict[str, Any]:
    """Settings by name, parameters among them."""
    values = {f.name: getattr(config, f.name) for f in fields(config)}
    own = values.pop("parameters")
    weighting = values.pop("weighting_parameters")
    return values | dict(own) | {f"weighting_{name}": value for name, value in weighting.items()}


def _told_by_objective(plain: Sequence[Mapping[str, Any]], name: str) -> bool:
    by_objective: dict[str, set[str]] = {}
    for values in plain:
        by_objective.setdefault(values["objective"], set()).add(str(values.get(name, "")))
    return all(len(values) == 1 for values in by_objective.values())


def _text(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
