"""A run's frozen spec, and the rule it makes token weights by."""

from __future__ import annotations

import math
import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypedDict

import numpy as np

from tokenunlearn.attribution.selection import RULES, Rule
from tokenunlearn.errors import FileError, RunError
from tokenunlearn.settings import shortened
from tokenunlearn.stored import fitted, read_json

# What a run did whose spec was written before the setting was there.
FORMERLY: Mapping[str, Any] = {"lr_scheduler_type": "constant_with_warmup", "frame": 0.0, "holdout": "none"}


class _Rule(TypedDict):
    selection: str


class _Watch(TypedDict, total=False):
    every: int
    samples: int
    questions: list[str]


class _Checkpoints(TypedDict, total=False):
    every: int
    minutes: float


class _Config(TypedDict, total=False):
    objective: str
    parameters: Mapping[str, Any]
    regularizer: str
    weighting: str
    weighting_parameters: Mapping[str, Any]
    control: str
    steps: int


@dataclass(frozen=True)
class RunSpec:
    """Everything that decides what a run does; written once, never changed.

    Attributes:
        id: Folder name in the store.
        created: UTC time, ISO 8601.
        label: What a person calls the run.
        model: Name that loads the start model.
        adapter: Run that this one goes on from, by its id where both are in one store, else by its folder; or
            the folder of another adapter. "" to start from the model as it is.
        template_kwargs: Variables of the chat template by name.
        quantization: "4bit" or "8bit" weights of the start model, or "".
        samples: Name that loads the forget set.
        retain: Name that loads the retained samples, or "".
        rule: Rule of the token weights, {"selection": "hard", "threshold": 0.8}.
        config: Fields of :class:`~tokenunlearn.training.settings.UnlearnSettings`.
        scoring: Score settings by name, for runs that score the forget set themselves, and the selector that
            gives the importance, in its JSON form.
        score_hash: Hash of the score set the run was given, or "" when it scores the forget set itself.
        evaluate: Samples per part to evaluate afterwards; 0 for none.
        watch: Fields of :class:`~tokenunlearn.evaluation.watch.WatchSettings`; {} where nothing is watched.
        checkpoints: Fields of :class:`~tokenunlearn.training.checkpoints.CheckpointSettings`; they change no
            result.
        report_to: Trackers that it reports to, by name and separated by commas; "" for none.
        versions: Versions of what computed it.
    """

    id: str
    created: str
    label: str
    model: str
    samples: str
    retain: str
    rule: Mapping[str, Any]
    config: Mapping[str, Any]
    scoring: Mapping[str, Any] = field(default_factory=dict)
    adapter: str = ""
    template_kwargs: Mapping[str, Any] = field(default_factory=dict)
    quantization: str = ""
    score_hash: str = ""
    evaluate: int = 0
    watch: Mapping[str, Any] = field(default_factory=dict)
    checkpoints: Mapping[str, Any] = field(default_factory=dict)
    report_to: str = ""
    versions: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def new(cls, *, label: str = "", **values: Any) -> RunSpec:
        """A spec with a fresh id and the present time.

        Raises:
            RunError: If the rule is unknown.
        """
        now = datetime.now(UTC)
        make_rule(values["rule"])
        config, weights = values["config"], values["rule"]["selection"]
        weighting, control = config.get("weighting", "selection"), config.get("control", "none")
        if weighting != "selection":
            weights = weighting
        elif control != "none":
            weights = control if control == "uniform" else f"{control}-{weights}"
        name = f"{config.get('objective', 'npo')}-{weights}".replace("_", "-")
        run_id = f"{now:%Y%m%d-%H%M%S}-{name}-{secrets.token_hex(2)}"
        return cls(id=run_id, created=now.isoformat(timespec="seconds"), label=label or name, **values)

    @classmethod
    def read(cls, path: Path) -> RunSpec:
        """The spec in a file; what a newer version has added is left out, what an older one did is filled in.

        Raises:
            FileError: If the file cannot be read, or holds something else.
        """
        spec: RunSpec = read_json(path, cls)
        fitted(spec.rule, _Rule, f"the rule in {path.name}")
        fitted(spec.config, _Config, f"the config in {path.name}")
        fitted(spec.watch, _Watch, f"what is watched in {path.name}")
        fitted(spec.checkpoints, _Checkpoints, f"the checkpoints in {path.name}")
        try:
            datetime.fromisoformat(spec.created)
        except ValueError:
            raise FileError(f'"created" in {path.name} must be a time.') from None
        return replace(spec, config={**FORMERLY, **spec.config})

    def to_json(self) -> dict[str, Any]:
        """The spec as plain values."""
        return asdict(self)


def make_rule(described: Mapping[str, Any]) -> Rule:
    """The rule behind a description such as {"selection": "soft", "temperature": 0.5}.

    Raises:
        TokenUnlearnError: If the selection is unknown, or a parameter is not its own or out of range.
    """
    parameters = dict(described)
    name = parameters.pop("selection", "")
    if name not in list(RULES):
        raise RunError(f'There is no selection "{shortened(name)}"; use one of {", ".join(RULES)}.')
    for parameter, value in parameters.items():
        number = isinstance(value, int | float | np.number) and not isinstance(value, bool)
        if not number or not abs(value) < math.inf:
            raise RunError(f'{shortened(parameter)} is "{shortened(value)}"; it must be a finite number.')
    try:
        rule: Rule = RULES[name](**parameters)
    except TypeError:
        raise RunError(
            f'The selection "{name}" does not take {", ".join(parameters) or "no parameters"}.'
        ) from None
    return rule
