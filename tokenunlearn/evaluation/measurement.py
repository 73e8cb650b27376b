"""Measuring one model on the parts of a suite: every figure as one value a row, each forward pass once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tokenunlearn.datasets.samples import SampleSet
from tokenunlearn.evaluation.metrics.gold_span import gold_span_accuracy
from tokenunlearn.evaluation.metrics.membership import (
    gradient_norms,
    loss_score,
    min_k_plus_plus_score,
    min_k_score,
    zlib_score,
)
from tokenunlearn.evaluation.metrics.memorization import exact_memorization, extraction_strength
from tokenunlearn.evaluation.metrics.probability import answer_probability, choice_probability
from tokenunlearn.evaluation.metrics.rouge import rouge_l_recall
from tokenunlearn.evaluation.metrics.truth_ratio import (
    TruthRatioForm,
    forget_truth_ratio,
    truth_ratio,
    utility_truth_ratio,
)
from tokenunlearn.evaluation.result import Better
from tokenunlearn.evaluation.token_statistics import TokenStatistics, token_statistics
from tokenunlearn.models import forward, generation
from tokenunlearn.models.encoding import Encoding
from tokenunlearn.models.forward import response_nll
from tokenunlearn.models.generation import generate
from tokenunlearn.models.loaded_model import LoadedModel

PhaseProgress = Callable[[str, int, int], None]
SPARE_TOKENS = 8
# Attacks whose score needs only the model itself; "reference" joins them where the retrained model is known.
MEMBERSHIP_ATTACKS = ("loss", "zlib", "min_k", "min_k_plus_plus", "gradient_norm")


@dataclass(frozen=True)
class Part:
    """One part of a benchmark.

    Attributes:
        samples: Its rows.
        role: "forget" is to be forgotten, "retain" to be kept, "options" kept and judged against wrong
            options, "holdout" was never seen by any model.
        paraphrased: Whether gold spans are measured under the paraphrased questions too.
    """

    samples: SampleSet
    role: str
    paraphrased: bool = False

    @property
    def better(self) -> Better:
        """Which way probability, memorization, ROUGE and gold spans should go."""
        directions: dict[str, Better] = {"forget": "lower", "holdout": "reference"}
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


@dataclass(frozen=True)
class Column:
    """One value a row; None where the metric does not apply."""

    rows: tuple[float | None, ...]
    sample_ids: tuple[str, ...]
    better: Better


@dataclass
class Measurement:
    """What was measured on one model.

    Attributes:
        columns: "part/metric", or "membership_ATTACK" over the rows of forget and holdout -> values.
        generations: Part -> rows of sample_id, question, answer, generation.
        notes: What was left out, and why.
    """

    columns: dict[str, Column] = field(default_factory=dict)
    generations: dict[str, list[dict[str, str]]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def add(self, name: str, rows: Sequence[Any] | np.ndarray, ids: Sequence[str], better: Better) -> None:
        """Keep a column that has at least one value."""
        values = tuple(None if row is None else float(row) for row in rows)
        if any(value is not None for value in values):
            self.columns[name] = Column(values, tuple(ids), better)


@dataclass(frozen=True)
class Meter:
    """A model, the batches it takes, and who hears of progress."""

    model: LoadedModel
    token_budget: int | None
    progress: PhaseProgress

    def measure(self, parts: Mapping[str, Part], forms: Forms) -> Measurement:
        """Every metric that needs this model alone."""
        found = Measurement()
        scores: dict[str, dict[str, np.ndarray]] = {}
        for name, part in parts.items():
            encodings = self.model.encode_all(part.samples)
            self._tokens(found, scores, name, part, encodings, forms)
            if part.role != "holdout":
                self._answers(found, name, part, forms)
                room = max(e.response_length for e in encodings) + SPARE_TOKENS
                self._generations(found, name, part, room)
        members = {role: next((n for n, p in parts.items() if p.role == role), None) for role in _COMPARED}
        if all(name is not None for name in members.values()):
            ids = [s.id for name in members.values() for s in parts[str(name)].samples]
            for attack in MEMBERSHIP_ATTACKS:
                rows = np.concatenate([scores[str(name)][attack] for name in members.values()])
                found.add(f"membership_{attack}", rows, ids, "reference")
        return found

    def _tokens(
        self,
        found: Measurement,
        scores: dict[str, dict[str, np.ndarray]],
        name: str,
        part: Part,
        encodings: Sequence[Encoding],
        forms: Forms,
    ) -> None:
        """What one forward pass over question and answer tells: probability, memorization, membership."""
        if part.role == "options" and any(s.perturbed_answer for s in part.samples):
            return
        ids = [s.id for s in part.samples]
        tokens = token_statistics(
            self.model,
            encodings,
            token_budget=self.budget(forward.TOKEN_BUDGET),
            progress=lambda done, total: self.progress(f"{name}: tokens", done, total),
        )
        nlls = np.array([t.nll.mean() for t in tokens])
        found.add(f"{name}/probability", answer_probability(nlls), ids, part.better)
        if part.role in ("forget", "retain"):
            published = forms.extraction_strength == "published"
            exact = [exact_memorization(t.correct) for t in tokens]
            found.add(f"{name}/exact_memorization", exact, ids, part.better)
            strength = [extraction_strength(t.correct, published) for t in tokens]
            found.add(f"{name}/extraction_strength", strength, ids, part.better)
        if part.role in _COMPARED:
            norms = gradient_norms(
                self.model,
                encodings,
                progress=lambda done, total: self.progress(f"{name}: gradients", done, total),
            )
            scores[name] = membership_scores(tokens, [s.answer for s in part.samples], norms)

    def _answers(self, found: Measurement, name: str, part: Part, forms: Forms) -> None:
        """Truth ratio, and the probability among options."""
        ids = [s.id for s in part.samples]
        nlls = self.answer_nlls(part.samples, f"{name}: answers")
        if all(nll is None for nll in nlls):
            found.notes.append(f"{name}: no truth ratio, because its rows have no perturbed answers.")
            return
        if part.role == "options":
            chosen = [None if nll is None else choice_probability(*nll)[0] for nll in nlls]
            found.add(f"{name}/probability", chosen, ids, part.better)
        ratios = [None if nll is None else truth_ratio(*nll, forms.truth_ratio)[0] for nll in nlls]
        if part.role == "forget":
            found.add(f"{name}/truth_ratio_raw", ratios, ids, "reference")
        reported = forget_truth_ratio if part.role == "forget" else utility_truth_ratio
        found.add(f"{name}/truth_ratio", [None if r is None else reported(r) for r in ratios], ids, "higher")

    def _generations(self, found: Measurement, name: str, part: Part, room: int) -> None:
        """ROUGE-L recall and gold spans of greedy generations."""
        samples, ids = part.samples, [s.id for s in part.samples]
        answers = self.greedy([s.question for s in samples], room, f"{name}: generating")
        rouge = [rouge_l_recall(a, s.answer) for a, s in zip(answers, samples, strict=True)]
        found.add(f"{name}/rouge_l", rouge, ids, part.better)
        spans = [gold_span_accuracy(a, s.facts) for a, s in zip(answers, samples, strict=True)]
        found.add(f"{name}/gold_span", spans, ids, part.better)
        found.generations[name] = [
            {"sample_id": s.id, "question": s.question, "answer": s.answer, "generation": a}
            for s, a in zip(samples, answers, strict=True)
        ]
        if not part.paraphrased or not any(s.facts for s in samples):
            return
        asked = [s for s in samples if s.paraphrased_question]
        if not asked:
            found.notes.append(f"{name}: no gold spans under paraphrased questions, because it has none.")
            return
        answers = self.greedy(
            [s.paraphrased_question for s in asked], room, f"{name}: generating, paraphrased"
        )
        replies = dict(zip((s.id for s in asked), answers, strict=True))
        spans = [gold_span_accuracy(replies[s.id], s.facts) if s.id in replies else None for s in samples]
        found.add(f"{name}/gold_span_paraphrased", spans, ids, part.better)

    def answer_nlls(self, samples: SampleSet, phase: str) -> list[tuple[np.ndarray, np.ndarray] | None]:
        """For each row the mean NLL of the paraphrased right answer (1,) and of its k wrong ones (1, k).

        None for a row without wrong answers. A row without a paraphrased answer uses its answer.
        """
        encodings = [
            self.model.encode(s, answer=answer)
            for s in samples
            if s.perturbed_answer
            for answer in (s.paraphrased_answer or s.answer, *s.perturbed_answer)
        ]
        nlls = response_nll(
            self.model,
            encodings,
            token_budget=self.budget(forward.TOKEN_BUDGET),
            progress=lambda done, total: self.progress(phase, done, total),
        )
        left = np.array([nll.mean().item() for nll in nlls])
        rows: list[tuple[np.ndarray, np.ndarray] | None] = []
        for s in samples:
            size = 1 + len(s.perturbed_answer)
            rows.append((left[:1], left[None, 1:size]) if s.perturbed_answer else None)
            left = left[size:] if s.perturbed_answer else left
        return rows

    def greedy(self, questions: Sequence[str], max_new_tokens: int, phase: str) -> list[str]:
        """Greedy answers."""
        return generate(
            self.model,
            questions,
            max_new_tokens=max_new_tokens,
            token_budget=self.budget(generation.TOKEN_BUDGET),
            progress=lambda done, total: self.progress(phase, done, total),
        )

    def budget(self, default: int) -> int:
        """Most tokens in one batch."""
        return default if self.token_budget is None else self.token_budget


_COMPARED = ("forget", "holdout")


def membership_scores(
    tokens: Sequence[TokenStatistics], texts: Sequence[str], norms: Sequence[float] | np.ndarray
) -> dict[str, np.ndarray]:
    """Membership scores by attack, (rows,) each, of responses, their texts and their gradient norms."""
    columns = {
        "loss": [loss_score(t.log_probs) for t in tokens],
        "zlib": [zlib_score(t.log_probs, text) for t, text in zip(tokens, texts, strict=True)],
        "min_k": [min_k_score(t.log_probs) for t in tokens],
        "min_k_plus_plus": [min_k_plus_plus_score(t.log_probs, t.mean, t.std) for t in tokens],
        "gradient_norm": -np.asarray(norms),
    }
    return {attack: np.asarray(rows, dtype=float) for attack, rows in columns.items()}
