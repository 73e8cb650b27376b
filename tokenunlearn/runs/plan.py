"""A plan of runs: configurations that share everything else, as frozen specs with names for what differs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import Any

from tokenunlearn.errors import RunError
from tokenunlearn.evaluation.report import versions
from tokenunlearn.evaluation.watch import WatchSettings
from tokenunlearn.runs.grid import differences
from tokenunlearn.runs.spec import RunSpec
from tokenunlearn.settings import shortened
from tokenunlearn.training.checkpoints import CheckpointSettings
from tokenunlearn.training.settings import UnlearnSettings
from tokenunlearn.training.trackers import Reporting

MOST_EVALUATED = 1_000_000


@dataclass(frozen=True)
class RunPlan:
    """One or more runs, in the order in which they are carried out.

    Attributes:
        model: Name that loads the start model.
        samples: Name that loads the forget set.
        retain: Name that loads the retained samples, or "".
        rule: Rule of the token weights, {"selection": "hard", "threshold": 0.8}.
        configs: One configuration a run.
        label: What to call the runs.
        scoring: Score settings by name, for runs that score the forget set themselves.
        adapter: Run that these go on from, as a spec names it, or "".
        template_kwargs: Variables of the chat template by name.
        quantization: "4bit" or "8bit" weights of the start model, or "".
        score_hash: Hash of the score set that the runs are given, or "".
        evaluate: Samples a part to evaluate afterwards; 0 for no evaluation, else at least 2.
        watch: What is measured while they train.
        checkpoints: When they write checkpoints.
        report_to: Trackers that they report to, by name and separated by commas; "" for none.
    """

    model: str
    samples: str
    retain: str
    rule: Mapping[str, Any]
    configs: Sequence[UnlearnSettings]
    label: str = ""
    scoring: Mapping[str, Any] = field(default_factory=dict)
    adapter: str = ""
    template_kwargs: Mapping[str, Any] = field(default_factory=dict)
    quantization: str = ""
    score_hash: str = ""
    evaluate: int = 0
    watch: WatchSettings = field(default_factory=WatchSettings)
    checkpoints: CheckpointSettings = field(default_factory=CheckpointSettings)
    report_to: str = ""

    def __post_init__(self) -> None:
        """Refuse an evaluation that could not be made, and trackers that are not there.

        Raises:
            TokenUnlearnError: If too few samples are to be evaluated, or a tracker is unknown.
        """
        Reporting.to(self.report_to)
        if not (self.evaluate == 0 or 2 <= self.evaluate <= MOST_EVALUATED):
            raise RunError(
                f"evaluate is {shortened(self.evaluate)}; it must be 0 (no evaluation) or between 2 and "
                f"{MOST_EVALUATED:,}."
            )

    @cached_property
    def differences(self) -> list[str]:
        """What each run differs in from the others, "seed 1"; "" for a single run."""
        return differences(self.configs)

    @cached_property
    def labels(self) -> list[str]:
        """What each run is called: the label, and what it differs in."""
        return [": ".join(filter(None, (self.label, different))) for different in self.differences]

    def specs(self) -> list[RunSpec]:
        """The frozen specs; no two have the same id."""
        shared: dict[str, Any] = {
            "model": self.model,
            "samples": self.samples,
            "retain": self.retain,
            "rule": self.rule,
            "scoring": self.scoring,
            "adapter": self.adapter,
            "template_kwargs": dict(self.template_kwargs),
            "quantization": self.quantization,
            "score_hash": self.score_hash,
            "evaluate": self.evaluate,
            "watch": self.watch.described(),
            "checkpoints": asdict(self.checkpoints),
            "report_to": self.report_to,
            "versions": versions(),
        }
        specs: dict[str, RunSpec] = {}
        for config, label in zip(self.configs, self.labels, strict=True):
            spec = RunSpec.new(label=label, config=asdict(config), **shared)
            while spec.id in specs:
                spec = RunSpec.new(label=label, config=asdict(config), **shared)
            specs[spec.id] = spec
        return list(specs.values())

    def rows(self) -> list[dict[str, Any]]:
        """The runs as rows of a table, in order."""
        return [
            {
                "run": number,
                "objective": config.objective,
                "weights": config.weighting if config.control == "none" else config.control,
                "differs in": different or "–",
                "steps": config.steps,
            }
            for number, (config, different) in enumerate(
                zip(self.configs, self.differences, strict=True), start=1
            )
        ]
