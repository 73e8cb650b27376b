"""What the form describes: a plan of runs, and its command lines."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from app import access, selectors, services, tasks
from app.controls import Source
from app.unlearn import command_line
from tokenunlearn.attribution.importance import ImportanceSettings
from tokenunlearn.attribution.score_set import ScoreSet
from tokenunlearn.attribution.selection import Rule, describe_rule
from tokenunlearn.evaluation.watch import WatchSettings
from tokenunlearn.runs.plan import RunPlan
from tokenunlearn.runs.run import Run
from tokenunlearn.runs.spec import RunSpec
from tokenunlearn.training.settings import UnlearnSettings

DECISIVE = ("model", "adapter", "template_kwargs", "quantization", "samples", "retain", "rule", "score_hash")


@dataclass(frozen=True)
class Plan:
    """One or more runs with the very score set in view, in the order in which they will be carried out.

    Attributes:
        source: Model and forget set.
        scores: The score set in view, with its mix and overrides.
        rule: Rule of the token weights.
        configs: One configuration a run.
        retain: Name that loads the retained samples.
        label: What to call the runs.
        evaluate: Samples a part to evaluate afterwards.
        watch: What is measured while they train.
        detached: Whether a process of their own carries them out.
    """

    source: Source
    scores: ScoreSet
    rule: Rule
    configs: Sequence[UnlearnSettings]
    retain: str
    label: str = ""
    evaluate: int = 0
    watch: WatchSettings = field(default_factory=WatchSettings)
    detached: bool = False

    @cached_property
    def runs(self) -> RunPlan:
        """The same as names and values, without the score set."""
        return RunPlan(
            model=self.source.model.name,
            adapter=self.source.adapter,
            template_kwargs=self.source.model.template_kwargs,
            samples=self.source.samples,
            retain=self.retain if any(config.needs_retain for config in self.configs) else "",
            rule=describe_rule(self.rule),
            configs=self.configs,
            label=self.label,
            score_hash=self.scores.hash,
            evaluate=self.evaluate,
            watch=self.watch,
        )

    def start(self) -> int:
        """Make the runs and queue them; how many others are to end before the first of them."""
        access.require("start")
        store, worker = services.store(), tasks.worker()  # nothing below may be interrupted by another click
        before = sum(run.state.active for run in store.runs())
        runs = [store.create(spec, self.scores) for spec in self.runs.specs()]
        if self.detached:
            tasks.detach(runs)
        for run in runs if not self.detached else ():
            worker.submit(run)
        return before

    @property
    def twins(self) -> list[Run]:
        """Runs that are queued, running or completed and train just what one of these would."""
        planned = {_work(self.runs, asdict(config)) for config in self.configs}
        return [
            run
            for run, spec in services.recent_runs()
            if _work(spec, spec.config) in planned
            and services.run_state(run).status in ("queued", "running", "completed")
        ]

    def commands(self, out: Path) -> str:
        """The command lines that do the same: score once, then unlearn with those scores."""
        score_file = Path("scores.parquet")
        mix, default_mix = asdict(self.scores.settings), asdict(ImportanceSettings())
        changed = {k: v for k, v in mix.items() if v != default_mix[k]}
        if self.scores.selector:
            changed["selector"] = str(selectors.file_of(self.scores.selector) or "selector.json")
        runs = self.runs
        lines = [
            command_line.score_line(
                runs.model,
                runs.samples,
                self.source.masking | changed,
                score_file,
                adapter=runs.adapter and str(out / runs.adapter),
                template_kwargs=runs.template_kwargs,
            )
        ]
        lines += [
            command_line.unlearn_line(
                model=runs.model,
                adapter=runs.adapter,
                template_kwargs=runs.template_kwargs,
                samples=runs.samples,
                retain=runs.retain,
                rule=runs.rule,
                config=asdict(config),
                scores=score_file,
                label=label,
                evaluate=runs.evaluate,
                watch=runs.watch.described(),
                out=out,
            )
            + " --detach" * self.detached
            for config, label in zip(runs.configs, runs.labels, strict=True)
        ]
        return "\n".join(lines)


def _work(of: RunPlan | RunSpec, config: Mapping[str, Any]) -> str:
    """Everything that decides the weights that a run ends with."""
    return json.dumps([[getattr(of, name) for name in DECISIVE], config], sort_keys=True, default=dict)
