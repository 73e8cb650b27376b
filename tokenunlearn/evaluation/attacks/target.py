"""A model under attack: how its answers are judged, and the attacks' common ways to ask it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from tokenunlearn.datasets.samples import Sample, SampleSet
from tokenunlearn.evaluation.measurement import SPARE_TOKENS, PhaseProgress
from tokenunlearn.evaluation.metrics.gold_span import gold_span_accuracy
from tokenunlearn.evaluation.metrics.rouge import rouge_l_recall
from tokenunlearn.models.generation import Sampling, generate
from tokenunlearn.models.loaded_model import LoadedModel

Rows = list[float | None]


@dataclass(frozen=True)
class Target:
    """One model under attack.

    Attributes:
        lm: The model; an attack that changes weights changes a copy.
        samples: What should be forgotten.
        progress: Called with phase, done and total.
        name: What progress calls the model.
        seed: Seed of whatever an attack draws.
    """

    lm: LoadedModel
    samples: SampleSet
    progress: PhaseProgress
    name: str = ""
    seed: int = 0

    @property
    def metric(self) -> str:
        """What the judge measures: "gold_span" where samples have gold spans, else "rouge_l"."""
        return "gold_span" if any(s.facts for s in self.samples) else "rouge_l"

    @property
    def judge(self) -> Callable[[str, Sample], float | None]:
        """How much of a sample's fact an answer states. Range 0..1."""
        if self.metric == "gold_span":
            return lambda answer, sample: gold_span_accuracy(answer, sample.facts)
        return lambda answer, sample: rouge_l_recall(answer, sample.answer)

    def of(self, lm: LoadedModel) -> Target:
        """The same attack on another model."""
        return replace(self, lm=lm)

    def said(self, phase: str) -> Callable[[int, int], None]:
        """Progress of one phase."""
        return lambda done, total: self.progress(f"{self.name}{phase}", done, total)

    def recovered(
        self,
        phase: str,
        *,
        questions: Sequence[str] | None = None,
        prefixes: Sequence[str] | None = None,
        sampling: Sampling | None = None,
    ) -> Rows:
        """How much of its fact the answer to each sample states; ``""`` as a question leaves the sample out.

        Args:
            phase: What progress calls it.
            questions: In place of the samples' own.
            prefixes: How each answer is made to begin.
            sampling: How tokens are drawn; None is greedy.
        """
        questions = [s.question for s in self.samples] if questions is None else questions
        numbers = [i for i, question in enumerate(questions) if question]
        longest = max(e.response_length for e in self.lm.encode_all(self.samples))
        answers = generate(
            self.lm,
            [questions[i] for i in numbers],
            histories=[self.samples[i].history for i in numbers],
            prefixes=None if prefixes is None else [prefixes[i] for i in numbers],
            sampling=sampling,
            max_new_tokens=longest + SPARE_TOKENS,
            progress=self.said(phase),
        )
        rows: Rows = [None] * len(self.samples)
        for i, answer in zip(numbers, answers, strict=True):
            rows[i] = self.judge(answer, self.samples[i])
        return rows


def best(columns: Sequence[Rows]) -> Rows:
    """The greatest value of each row over several attempts; None where no attempt has one."""
    present = [[value for value in row if value is not None] for row in zip(*columns, strict=True)]
    return [max(values) if values else None for values in present]
