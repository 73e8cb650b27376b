"""Evaluation suites: which parts of a benchmark are measured, and how their metrics come together."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tokenunlearn.datasets import load_samples
from tokenunlearn.errors import TokenUnlearnError
from tokenunlearn.evaluation.forget_quality import forget_quality
from tokenunlearn.evaluation.gold_span import gold_span_accuracy
from tokenunlearn.evaluation.probability import answer_probability, choice_probability
from tokenunlearn.evaluation.report import Report, git_revision, versions
from tokenunlearn.evaluation.result import Better, MetricResult, mean_result
from tokenunlearn.evaluation.rouge import rouge_l_recall
from tokenunlearn.evaluation.truth_ratio import forget_truth_ratio, truth_ratio, utility_truth_ratio
from tokenunlearn.evaluation.utility import utility_result
from tokenunlearn.forward import response_nll
from tokenunlearn.generation import generate
from tokenunlearn.models import ASSETS, LoadedModel, load_model
from tokenunlearn.samples import SampleSet

PhaseProgress = Callable[[str, int, int], None]
SPARE_TOKENS = 8


@dataclass(frozen=True)
class Part:
    """One part of a benchmark.

    Attributes:
        samples: Its rows.
        role: "forget" is to be forgotten, "retain" to be kept, "options" kept and judged against wrong options.
        paraphrased: Whether gold spans are measured under the paraphrased questions too.
    """

    samples: SampleSet
    role: str
    paraphrased: bool = False

    @property
    def better(self) -> Better:
        """Which way probability, ROUGE and gold spans should go."""
        return "lower" if self.role == "forget" else "higher"


def authors_parts(forget: str, retain: str, limit: int | None) -> dict[str, Part]:
    """The four parts of the embedded benchmark."""
    roles = {forget: "forget", retain: "retain", "real_authors": "options", "world_facts": "options"}
    names = (("forget", forget), ("retain", retain), ("real_authors", "real_authors"), ("world_facts", "world_facts"))
    return {
        part: Part(load_samples(f"authors:{split}").spread(limit), roles[split], paraphrased=part == "forget")
        for part, split in names
    }


# A new suite is one function from splits and limit to its parts, and one line here.
SUITES: dict[str, Callable[[str, str, int | None], dict[str, Part]]] = {"authors": authors_parts}


def evaluate(
    model: LoadedModel,
    suite: str = "authors",
    reference: str | Path | None = None,
    *,
    forget: str = "forget10",
    retain: str = "retain90",
    limit: int | None = None,
    progress: PhaseProgress | None = None,
) -> Report:
    """Measure what a model has forgotten and what it has kept.

    Args:
        model: The model.
        suite: "authors".
        reference: The retrained model: a name, or the path of its stored report. Forget quality needs it.
        forget: Split to be forgotten.
        retain: Split to be kept.
        limit: At most this many rows a part, evenly spread.
        progress: Called with phase, done and total.

    Raises:
        TokenUnlearnError: If the suite is unknown or the reference's report covers other rows.
    """
    if suite not in SUITES:
        raise TokenUnlearnError(f'There is no suite "{suite}"; use one of {", ".join(SUITES)}.')
    if limit is not None and limit < 2:
        raise TokenUnlearnError(f"limit is {limit}; at least 2 rows a part are needed.")
    started = time.monotonic()
    parts = SUITES[suite](forget, retain, limit)
    metrics: dict[str, MetricResult] = {}
    notes: list[str] = []
    generations: dict[str, list[dict[str, str]]] = {}
    for name, part in parts.items():
        measure = _PartMeasurement(model, name, part, progress or _silent)
        measure.likelihoods(metrics, notes)
        measure.generations(metrics, generations)
    _utility(parts, metrics, notes)
    if reference is not None:
        _forget_quality(model, parts, metrics, notes, reference, progress or _silent)
    settings = {"forget": forget, "retain": retain, "limit": limit, "reference": str(reference or "")}
    return Report(
        model=model.name,
        revision=model.revision,
        suite=suite,
        settings=settings,
        metrics=metrics,
        generations=generations,
        notes=notes,
        versions=versions(),
        git_revision=git_revision(),
        device=str(model.device),
        seconds=time.monotonic() - started,
    )


def _silent(phase: str, done: int, total: int) -> None:
    """Nobody listens."""


def mean_nlls(model: LoadedModel, texts: Sequence[tuple[str, str]], progress: Callable[[int, int], None]) -> np.ndarray:
    """(N,) mean NLL over response tokens of question and answer pairs, in nats."""
    from tokenunlearn.samples import Sample

    encodings = [model.encode(Sample(f"row {i}", question, answer)) for i, (question, answer) in enumerate(texts)]
    return np.array([nll.mean().item() for nll in response_nll(model, encodings, progress=progress)])


def answer_nlls(
    model: LoadedModel, samples: SampleSet, progress: Callable[[int, int], None]
) -> tuple[np.ndarray, np.ndarray] | None:
    """Mean NLL of the paraphrased right answer (rows,) and of the wrong ones (rows, k); None without wrong answers.

    A row without a paraphrased answer uses its answer. All rows must have equally many wrong answers.
    """
    counts = {len(s.perturbed_answer) for s in samples}
    if len(counts) != 1 or counts == {0}:
        return None
    texts = [(s.question, a) for s in samples for a in (s.paraphrased_answer or s.answer, *s.perturbed_answer)]
    nll = mean_nlls(model, texts, progress).reshape(len(samples), -1)
    return nll[:, 0], nll[:, 1:]


class _PartMeasurement:
    def __init__(self, model: LoadedModel, name: str, part: Part, progress: PhaseProgress) -> None:
        self.model, self.name, self.part, self.progress = model, name, part, progress
        self.ids = [s.id for s in part.samples]

    def likelihoods(self, metrics: dict[str, MetricResult], notes: list[str]) -> None:
        """Probability and truth ratio."""
        samples, name = self.part.samples, self.name
        nlls = answer_nlls(self.model, samples, lambda done, total: self.progress(f"{name}: answers", done, total))
        if self.part.role == "options" and nlls is not None:
            probability = choice_probability(*nlls)
        else:
            texts = [(s.question, s.answer) for s in samples]
            own = mean_nlls(self.model, texts, lambda done, total: self.progress(f"{name}: probability", done, total))
            probability = answer_probability(own)
        self._add(metrics, "probability", probability, self.part.better)
        if nlls is None:
            notes.append(f"{name}: no truth ratio, because its rows do not all have equally many perturbed answers.")
            return
        ratio = truth_ratio(*nlls)
        if self.part.role == "forget":
            self._add(metrics, "truth_ratio_raw", ratio, "higher")
            self._add(metrics, "truth_ratio", forget_truth_ratio(ratio), "higher")
        else:
            self._add(metrics, "truth_ratio", utility_truth_ratio(ratio), "higher")

    def generations(
        self, metrics: dict[str, MetricResult], generations: dict[str, list[dict[str, str]]]
    ) -> None:
        """ROUGE-L recall and gold spans of greedy generations."""
        samples, name = self.part.samples, self.name
        answers = self._generate([s.question for s in samples], f"{name}: generating")
        rouge = [rouge_l_recall(a, s.answer) for a, s in zip(answers, samples, strict=True)]
        self._add(metrics, "rouge_l", rouge, self.part.better)
        spans = [gold_span_accuracy(a, s.facts) for a, s in zip(answers, samples, strict=True)]
        self._add(metrics, "gold_span", spans, self.part.better)
        generations[name] = [
            {"sample_id": s.id, "question": s.question, "answer": s.answer, "generation": a}
            for s, a in zip(samples, answers, strict=True)
        ]
        if self.part.paraphrased and all(s.paraphrased_question for s in samples):
            answers = self._generate([s.paraphrased_question for s in samples], f"{name}: generating, paraphrased")
            spans = [gold_span_accuracy(a, s.facts) for a, s in zip(answers, samples, strict=True)]
            self._add(metrics, "gold_span_paraphrased", spans, self.part.better)

    def _generate(self, questions: list[str], phase: str) -> list[str]:
        longest = max(self.model.encode(s).response_length for s in self.part.samples)
        return generate(
            self.model,
            questions,
            max_new_tokens=longest + SPARE_TOKENS,
            progress=lambda done, total: self.progress(phase, done, total),
        )

    def _add(self, metrics: dict[str, MetricResult], metric: str, rows: Any, better: Better) -> None:
        result = mean_result(f"{self.name}/{metric}", list(rows), self.ids, better)
        if result is not None:
            metrics[result.name] = result


def _utility(parts: Mapping[str, Part], metrics: dict[str, MetricResult], notes: list[str]) -> None:
    kept = [name for name, part in parts.items() if part.role != "forget"]
    wanted = {name: [f"{name}/{m}" for m in ("probability", "rouge_l", "truth_ratio")] for name in kept}
    missing = [metric for names in wanted.values() for metric in names if metric not in metrics]
    if missing:
        notes.append(f"No model utility, because {missing[0]} is missing.")
        return
    tables = {name: {m: [r or 0.0 for r in metrics[m].rows] for m in names} for name, names in wanted.items()}
    metrics["model_utility"] = utility_result(tables)


def _forget_quality(
    model: LoadedModel,
    parts: Mapping[str, Part],
    metrics: dict[str, MetricResult],
    notes: list[str],
    reference: str | Path,
    progress: PhaseProgress,
) -> None:
    own = metrics.get("forget/truth_ratio_raw")
    if own is None:
        notes.append("No forget quality, because there is no truth ratio on the forget set.")
        return
    theirs = _reference_ratios(model, parts["forget"].samples, reference, progress)
    p = forget_quality(np.array(own.rows, dtype=float), theirs)
    metrics["forget_quality"] = MetricResult("forget_quality", p, own.n, None, "higher")


def _reference_ratios(
    model: LoadedModel, samples: SampleSet, reference: str | Path, progress: PhaseProgress
) -> np.ndarray:
    """Truth ratios of the retrained model on the same rows, out of its stored report where there is one."""
    stored = ASSETS / "reports" / f"{reference}.json"
    path = stored if stored.exists() else Path(reference)
    if path.suffix == ".json":
        report = Report.load(path)
        result = report.metrics.get("forget/truth_ratio_raw")
        known = dict(zip(result.sample_ids, result.rows, strict=True)) if result else {}
        missing = [s.id for s in samples if s.id not in known]
        if missing:
            raise TokenUnlearnError(
                f'The report "{path.name}" was made on {report.settings.get("forget") or "another split"} and has no '
                f"truth ratio for {missing[0]}; evaluate the retrained model on the same split."
            )
        return np.array([known[s.id] for s in samples], dtype=float)
    retrained = load_model(str(reference), device=str(model.device))
    nlls = answer_nlls(retrained, samples, lambda done, total: progress("reference", done, total))
    assert nlls is not None  # the model's own truth ratios exist on the same rows
    return truth_ratio(*nlls)
