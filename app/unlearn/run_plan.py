"""What the form describes: a plan of runs, its command lines, and the memory it will take."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path

from app import selectors, services
from app.controls import Source
from app.unlearn import command_line
from tokenunlearn.attribution.importance import ImportanceSettings
from tokenunlearn.attribution.score_set import ScoreSet
from tokenunlearn.attribution.selection import Rule, describe_rule
from tokenunlearn.datasets.samples import Sample
from tokenunlearn.evaluation.watch import WatchSettings
from tokenunlearn.models.presets import local_folder
from tokenunlearn.runs.plan import RunPlan
from tokenunlearn.training.memory import FLOAT32, MemoryEstimate, ModelShape, Workload, estimate_memory
from tokenunlearn.training.settings import UnlearnSettings

MEMORY_PARTS = {
    "weights": "weights",
    "gradients": "gradients",
    "optimizer": "optimizer",
    "good_weights": "last good weights",
    "activations": "activations",
    "references": "reference outputs",
}


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
    """

    source: Source
    scores: ScoreSet
    rule: Rule
    configs: Sequence[UnlearnSettings]
    retain: str
    label: str = ""
    evaluate: int = 0
    watch: WatchSettings = field(default_factory=WatchSettings)

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
        before = sum(run.state.active for run in services.store().runs())
        for spec in self.runs.specs():
            services.worker().submit(services.store().create(spec, self.scores))
        return before

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
            for config, label in zip(runs.configs, runs.labels, strict=True)
        ]
        return "\n".join(lines)

    def memory(self) -> MemoryEstimate | None:
        """The estimate of the run that takes most; None where the model is not on this machine."""
        device = "cuda" if shutil.which("nvidia-smi") else "cpu"
        width = FLOAT32 if device == "cpu" else FLOAT32 // 2  # bfloat16 on a GPU
        shape = ModelShape.of_folder(local_folder(self.source.model.name), width)
        if shape is None:
            return None
        retained = services.load_samples(self.retain) if any(c.needs_retain for c in self.configs) else ()
        estimates = [
            estimate_memory(shape, workload(self.scores, retained, config), config, device)
            for config in self.configs
        ]
        return max(estimates, key=lambda estimate: estimate.total)


def workload(scores: ScoreSet, retained: Sequence[Sample], config: UnlearnSettings) -> Workload:
    """What a run reads, in tokens: counted for the forget set, by its rate a character for the rest."""
    samples = scores.samples
    prompts, responses = [len(s.prompt_texts) for s in samples], [len(s.texts) for s in samples]
    answers = sum(len(s.answer) for s in samples)
    rate = sum(responses) / max(answers, 1)  # tokens a character
    template = sum(prompts) / len(samples) - rate * sum(len(s.question) for s in samples) / len(samples)
    own = retained if config.needs_retain else ()
    lengths = [min(rate * len(s.answer) + 1, s.chunk_tokens or float("inf")) for s in own]
    drawn = min(len(lengths), config.steps * config.retain_batch_size)
    longest = [
        rate * len(s.question) + max(template, 0) + tokens for s, tokens in zip(own, lengths, strict=True)
    ]
    return Workload(
        forget=sum(responses),
        retain=round(sum(lengths) / len(lengths) * drawn) if lengths else 0,
        length=round(max([p + t for p, t in zip(prompts, responses, strict=True)] + longest)),
        response=round(max(responses + lengths)),
    )


def size_text(count: float) -> str:
    """A number of bytes in MB or GB."""
    return f"{count / 1e9:,.1f} GB" if count >= 1e9 else f"{count / 1e6:,.0f} MB"


def memory_text(estimate: MemoryEstimate) -> str:
    """The estimate in one line, largest part first."""
    parts = sorted(asdict(estimate).items(), key=lambda part: -part[1])
    shown = ", ".join(f"{MEMORY_PARTS[name]} {size_text(size)}" for name, size in parts if size)
    return f"Memory: about {size_text(estimate.total)} ({shown})"
