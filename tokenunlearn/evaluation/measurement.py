"""Measuring one model on the parts of a suite: every figure as one value a row, each forward pass once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from tokenunlearn.datasets.samples import Sample, SampleSet, Turn
from tokenunlearn.evaluation.metrics import METRICS, PartMetric
from tokenunlearn.evaluation.metrics.membership import GROUPS, gradient_norms
from tokenunlearn.evaluation.metrics.metric import JUDGED, Column
from tokenunlearn.evaluation.metrics.truth_ratio import TruthRatioForm
from tokenunlearn.evaluation.result import Better
from tokenunlearn.evaluation.token_statistics import TokenStatistics, token_statistics
from tokenunlearn.models import forward, generation
from tokenunlearn.models.encoding import Encoding
from tokenunlearn.models.forward import Progress, response_nll
from tokenunlearn.models.generation import generate
from tokenunlearn.models.loaded_model import LoadedModel

PhaseProgress = Callable[[str, int, int], None]
SPARE_TOKENS = 8


@dataclass(frozen=True)
class Part:
    """One part of a benchmark.

    Attributes:
        samples: Its rows.
        role: "forget" is to be forgotten, "retain" to be kept, "options" kept and judged against wrong
            options, "holdout" was never seen by any model.
        notes: What a reader of the report should know of the rows.
        sha256: Of the whole set that the rows are from, where a file's name does not tell its content.
        rest: Samples of that set that are not measured. A judge of language reads them too: in a few rows,
            words that the others use are unknown.
    """

    samples: SampleSet
    role: str
    notes: tuple[str, ...] = ()
    sha256: str = ""
    rest: tuple[Sample, ...] = ()

    @classmethod
    def of(cls, samples: SampleSet, role: str, limit: int | None) -> Part:
        """At most ``limit`` rows of a set, evenly spread, and the rest of it."""
        rows = samples.spread(limit)
        drawn = {s.id for s in rows}
        return cls(rows, role, rest=tuple(s for s in samples if s.id not in drawn))

    @property
    def better(self) -> Better:
        """Which way probability, memorization, ROUGE and gold spans should go."""
        directions: dict[str, Better] = {"forget": "lower", "holdout": "retrained"}
        return directions.get(self.role, "higher")


@dataclass(frozen=True)
class Forms:
    """Which form of the metrics that have two.

    Attributes:
        truth_ratio: "geometric_mean" or "prob_mean", the mean over wrong answers.
        extraction_strength: "exact", which reaches 0, or "published", which stops at 1 / T.
    """

    truth_ratio: TruthRatioForm = "geometric_mean"
    extraction_strength: str = "exact"


@dataclass
class Measurement:
    """What was measured on one model.

    Attributes:
        columns: "part/metric", or the metric alone over the rows of forget and holdout -> values.
        generations: Part -> rows of sample_id, question, answer, generation.
        notes: What was left out, and why.
    """

    columns: dict[str, Column] = field(default_factory=dict)
    generations: dict[str, Sequence[Mapping[str, str]]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    @property
    def answers(self) -> dict[str, dict[str, str]]:
        """Part -> sample id -> greedy answer."""
        return {
            part: {row["sample_id"]: row["generation"] for row in rows}
            for part, rows in self.generations.items()
        }

    def take(self, metric: PartMetric, part: MeasuredPart) -> None:
        """Add a metric of one part, or note why it has none."""
        missing = next((need for need in metric.needs if not part.has(need)), None)
        if missing is None:
            column = Column(_plain(metric.rows(part)), part.ids, metric.better or part.better)
            self._keep(f"{part.name}/{metric.name}", column)
        elif missing in metric.without:
            self.notes.append(f"{part.name}: {metric.without[missing]}")

    def pool(self, metric: PartMetric, members: MeasuredPart, others: MeasuredPart) -> None:
        """Add a metric that compares the rows of two parts."""
        rows = _plain([*metric.rows(members), *metric.rows(others)])
        ids = members.ids + others.ids
        self._keep(metric.name, Column(rows, ids, metric.better or members.better, len(members.ids)))

    def _keep(self, name: str, column: Column) -> None:
        if any(value is not None for value in column.rows):
            self.columns[name] = column


def _plain(rows: Sequence[Any] | np.ndarray) -> tuple[float | None, ...]:
    return tuple(None if row is None else float(row) for row in rows)


@dataclass(frozen=True)
class Meter:
    """A model, the batches it takes, and who hears of progress."""

    model: LoadedModel
    token_budget: int | None
    progress: PhaseProgress

    def measure(self, parts: Mapping[str, Part], forms: Forms) -> Measurement:
        """Every metric that needs this model alone."""
        result = Measurement()
        metrics = [metric for metric in METRICS.values() if isinstance(metric, PartMetric)]
        measured = [MeasuredPart(self, name, part, forms) for name, part in parts.items()]
        for part in measured:
            for metric in metrics:
                if part.role in metric.roles and not metric.pooled:
                    result.take(metric, part)
            if part.has("answers"):
                result.generations[part.name] = part.generations()
        first = {part.role: part for part in reversed(measured)}
        if all(role in first for role in GROUPS):
            groups = [first[role] for role in GROUPS]
            for metric in metrics:
                if metric.pooled:
                    result.pool(metric, *groups)
        return result

    def greedy(
        self, questions: Sequence[str], histories: Sequence[Sequence[Turn]], max_new_tokens: int, phase: str
    ) -> list[str]:
        """Greedy answers."""
        return generate(
            self.model,
            questions,
            histories=histories,
            max_new_tokens=max_new_tokens,
            token_budget=self.budget(generation.TOKEN_BUDGET),
            progress=self.hearing(phase),
        )

    def hearing(self, phase: str) -> Progress:
        """Progress of one phase."""
        return lambda done, total: self.progress(phase, done, total)

    def budget(self, default: int) -> int:
        """Most tokens in one batch."""
        return default if self.token_budget is None else self.token_budget


@dataclass(frozen=True)
class MeasuredPart:
    """One part under one model; each value is measured when a metric first reads it.

    Attributes:
        meter: The model.
        name: Name of the part.
        part: Its rows and its role.
        forms: Which form of the metrics that have two.
    """

    meter: Meter
    name: str
    part: Part
    forms: Forms

    def has(self, need: str) -> bool:
        """Whether the rows have what a value is measured on."""
        if need == "answers":
            return self.role in JUDGED and not any(sample.document for sample in self.samples)
        if need in _FIELDS:
            return any(getattr(sample, _FIELDS[need]) for sample in self.samples)
        return True

    @property
    def samples(self) -> SampleSet:
        """The rows."""
        return self.part.samples

    @property
    def role(self) -> str:
        """The part's role."""
        return self.part.role

    @property
    def better(self) -> Better:
        """Which way most metrics should go."""
        return self.part.better

    @property
    def ids(self) -> tuple[str, ...]:
        """Ids of the rows."""
        return tuple(sample.id for sample in self.samples)

    @cached_property
    def encodings(self) -> list[Encoding]:
        """Questions and answers."""
        return self.meter.model.encode_all(self.samples)

    @cached_property
    def tokens(self) -> list[TokenStatistics]:
        """What one forward pass over question and answer tells of each response token."""
        return token_statistics(
            self.meter.model,
            self.encodings,
            token_budget=self.meter.budget(forward.TOKEN_BUDGET),
            progress=self.meter.hearing(f"{self.name}: tokens"),
        )

    @cached_property
    def gradient_norms(self) -> np.ndarray:
        """(rows,) norm of the gradient of each answer's mean NLL."""
        return gradient_norms(
            self.meter.model, self.encodings, progress=self.meter.hearing(f"{self.name}: gradients")
        )

    @cached_property
    def answer_nlls(self) -> list[tuple[np.ndarray, np.ndarray] | None]:
        """For each row the mean NLL of the paraphrased right answer (1,) and of its k wrong ones (1, k).

        None for a row without wrong answers. A row without a paraphrased answer uses its answer.
        """
        encodings = [
            self.meter.model.encode(s, answer=answer)
            for s in self.samples
            if s.perturbed_answer
            for answer in (s.paraphrased_answer or s.answer, *s.perturbed_answer)
        ]
        nlls = response_nll(
            self.meter.model,
            encodings,
            token_budget=self.meter.budget(forward.TOKEN_BUDGET),
            progress=self.meter.hearing(f"{self.name}: answers"),
        )
        left = np.array([nll.mean().item() for nll in nlls])
        rows: list[tuple[np.ndarray, np.ndarray] | None] = []
        for s in self.samples:
            size = 1 + len(s.perturbed_answer)
            rows.append((left[:1], left[None, 1:size]) if s.perturbed_answer else None)
            left = left[size:] if s.perturbed_answer else left
        return rows

    @cached_property
    def answers(self) -> list[str]:
        """Greedy answers to the questions."""
        questions, histories = [s.question for s in self.samples], [s.history for s in self.samples]
        return self.meter.greedy(questions, histories, self.room, f"{self.name}: generating")

    @cached_property
    def paraphrased_answers(self) -> list[str | None]:
        """Greedy answers to the paraphrased questions; None for a row that has none."""
        paraphrased = [s for s in self.samples if s.paraphrased_question]
        questions, histories = [s.paraphrased_question for s in paraphrased], [s.history for s in paraphrased]
        answers = self.meter.greedy(questions, histories, self.room, f"{self.name}: generating, paraphrased")
        replies = dict(zip((s.id for s in paraphrased), answers, strict=True))
        return [replies.get(s.id) for s in self.samples]

    @property
    def room(self) -> int:
        """Most tokens of a generated answer."""
        return max(encoding.response_length for encoding in self.encodings) + SPARE_TOKENS

    def generations(self) -> list[dict[str, str]]:
        """Questions, answers and greedy answers, for the report."""
        return [
            {"sample_id": s.id, "question": s.question, "answer": s.answer, "generation": answer}
            for s, answer in zip(self.samples, self.answers, strict=True)
        ]


# What a value is measured on, where rows may lack it.
_FIELDS = {
    "wrong answers": "perturbed_answer",
    "facts": "facts",
    "paraphrased questions": "paraphrased_question",
}
