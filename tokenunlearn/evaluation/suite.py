"""Evaluation suites: which parts of a benchmark are measured, and how their metrics come together."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from tokenunlearn import forward, generation
from tokenunlearn.datasets import load_samples
from tokenunlearn.errors import TokenUnlearnError
from tokenunlearn.evaluation.choice_suite import CHOICE_SUITES, evaluate_choices
from tokenunlearn.evaluation.forget_quality import forget_quality, ks_statistic
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
from tokenunlearn.samples import Encoding, SampleSet

PhaseProgress = Callable[[str, int, int], None]
SPARE_TOKENS = 8


@dataclass(frozen=True)
class Part:
    """One part of a benchmark.

    Attributes:
        samples: Its rows.
        role: "forget" is to be forgotten, "retain" to be kept, "options" kept and judged against wrong
            options.
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
    splits = (
        ("forget", forget, "forget"),
        ("retain", retain, "retain"),
        ("real_authors", "real_authors", "options"),
        ("world_facts", "world_facts", "options"),
    )
    return {
        part: Part(load_samples(f"authors:{split}").spread(limit), role, paraphrased=part == "forget")
        for part, split, role in splits
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
    token_budget: int | None = None,
    progress: PhaseProgress | None = None,
) -> Report:
    """Measure what a model has forgotten and what it has kept.

    Args:
        model: The model.
        suite: "authors", or a suite of multiple-choice questions: "wmdp", "mmlu", "alchemy".
        reference: The retrained model: a name, or the path of its stored report. Forget quality needs it. A
            name with a report in ``assets/reports`` that covers the rows is not loaded.
        forget: Split to be forgotten.
        retain: Split to be kept.
        limit: At most this many rows a part, evenly spread.
        token_budget: Most tokens in one batch; by default what suits a CPU.
        progress: Called with phase, done and total.

    Raises:
        TokenUnlearnError: If the suite is unknown, the limit is below 2, or the reference's report covers
            other rows.
        ModelNotFoundError: If the reference cannot be loaded.
        SampleTooLongError: If a sample does not fit the model's context.
    """
    if suite in CHOICE_SUITES:
        return evaluate_choices(model, suite, limit=limit, token_budget=token_budget, progress=progress)
    if suite not in SUITES:
        known = ", ".join([*SUITES, *CHOICE_SUITES])
        raise TokenUnlearnError(f'There is no suite "{suite}"; use one of {known}.')
    if limit is not None and limit < 2:
        raise TokenUnlearnError(f"limit is {limit}; at least 2 rows a part are needed.")
    started = time.monotonic()
    parts = SUITES[suite](forget, retain, limit)
    metrics: dict[str, MetricResult] = {}
    notes: list[str] = []
    generations: dict[str, list[dict[str, str]]] = {}
    run = _Run(model, token_budget, progress or _silent)
    theirs = None if reference is None else _reference_ratios(run, parts, suite, reference)
    for name, part in parts.items():
        measure = _PartMeasurement(run, name, part)
        measure.likelihoods(metrics, notes)
        measure.generations(metrics, notes, generations)
    _utility(parts, metrics, notes)
    if theirs is not None:
        _forget_quality(theirs, metrics, notes)
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


@dataclass(frozen=True)
class _Run:
    """A model, the batches it takes, and who hears of progress."""

    model: LoadedModel
    token_budget: int | None
    progress: PhaseProgress

    def budget(self, default: int) -> int:
        """Most tokens in one batch."""
        return default if self.token_budget is None else self.token_budget

    def mean_nlls(self, encodings: Sequence[Encoding], phase: str) -> np.ndarray:
        """(N,) mean NLL over the response tokens of each encoding, end of turn included, in nats."""
        nlls = response_nll(
            self.model,
            encodings,
            token_budget=self.budget(forward.TOKEN_BUDGET),
            progress=lambda done, total: self.progress(phase, done, total),
        )
        return np.array([nll.mean().item() for nll in nlls])

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
        left = self.mean_nlls(encodings, phase)
        rows: list[tuple[np.ndarray, np.ndarray] | None] = []
        for s in samples:
            size = 1 + len(s.perturbed_answer)
            rows.append((left[:1], left[None, 1:size]) if s.perturbed_answer else None)
            left = left[size:] if s.perturbed_answer else left
        return rows

    def answers(self, questions: Sequence[str], max_new_tokens: int, phase: str) -> list[str]:
        """Greedy answers."""
        return generate(
            self.model,
            questions,
            max_new_tokens=max_new_tokens,
            token_budget=self.budget(generation.TOKEN_BUDGET),
            progress=lambda done, total: self.progress(phase, done, total),
        )


def _each(
    measure: Callable[[np.ndarray, np.ndarray], np.ndarray],
    nlls: Sequence[tuple[np.ndarray, np.ndarray] | None],
) -> list[float | None]:
    """A measure of right and wrong answers for each row that has wrong ones, None for the others."""
    return [None if nll is None else float(measure(*nll)[0]) for nll in nlls]


class _PartMeasurement:
    def __init__(self, run: _Run, name: str, part: Part) -> None:
        self.run, self.name, self.part = run, name, part
        self.ids = [s.id for s in part.samples]

    def likelihoods(self, metrics: dict[str, MetricResult], notes: list[str]) -> None:
        """Probability and truth ratio."""
        samples, name = self.part.samples, self.name
        nlls = self.run.answer_nlls(samples, f"{name}: answers")
        comparable = any(nll is not None for nll in nlls)
        if self.part.role == "options" and comparable:
            self._add(metrics, "probability", _each(choice_probability, nlls), self.part.better)
        else:
            own = self.run.mean_nlls(self.run.model.encode_all(samples), f"{name}: probability")
            self._add(metrics, "probability", answer_probability(own), self.part.better)
        if not comparable:
            notes.append(f"{name}: no truth ratio, because its rows have no perturbed answers.")
            return
        ratios = _each(truth_ratio, nlls)
        if self.part.role == "forget":
            self._add(metrics, "truth_ratio_raw", ratios, "higher")
        reported = forget_truth_ratio if self.part.role == "forget" else utility_truth_ratio
        rows = [None if r is None else float(reported(np.array(r))) for r in ratios]
        self._add(metrics, "truth_ratio", rows, "higher")

    def generations(
        self,
        metrics: dict[str, MetricResult],
        notes: list[str],
        generations: dict[str, list[dict[str, str]]],
    ) -> None:
        """ROUGE-L recall and gold spans of greedy generations."""
        samples, name = self.part.samples, self.name
        room = max(e.response_length for e in self.run.model.encode_all(samples)) + SPARE_TOKENS
        answers = self.run.answers([s.question for s in samples], room, f"{name}: generating")
        rouge = [rouge_l_recall(a, s.answer) for a, s in zip(answers, samples, strict=True)]
        self._add(metrics, "rouge_l", rouge, self.part.better)
        spans = [gold_span_accuracy(a, s.facts) for a, s in zip(answers, samples, strict=True)]
        self._add(metrics, "gold_span", spans, self.part.better)
        generations[name] = [
            {"sample_id": s.id, "question": s.question, "answer": s.answer, "generation": a}
            for s, a in zip(samples, answers, strict=True)
        ]
        if not self.part.paraphrased:
            return
        asked = [s for s in samples if s.paraphrased_question]
        if not asked:
            notes.append(f"{name}: no gold spans under paraphrased questions, because it has none.")
            return
        answers = self.run.answers(
            [s.paraphrased_question for s in asked], room, f"{name}: generating, paraphrased"
        )
        replies = dict(zip((s.id for s in asked), answers, strict=True))
        spans = [gold_span_accuracy(replies[s.id], s.facts) if s.id in replies else None for s in samples]
        self._add(metrics, "gold_span_paraphrased", spans, self.part.better)

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
    tables = {name: {m: metrics[m].rows for m in names} for name, names in wanted.items()}
    metrics["model_utility"] = utility_result(tables)


def _forget_quality(theirs: Mapping[str, float], metrics: dict[str, MetricResult], notes: list[str]) -> None:
    """The KS test between this model's truth ratios and the retrained model's on the same rows."""
    own = metrics.get("forget/truth_ratio_raw")
    if own is None:
        notes.append("No forget quality, because there is no truth ratio on the forget set.")
        return
    rows = [(row, theirs[i]) for i, row in zip(own.sample_ids, own.rows, strict=True) if row is not None]
    ours, retrained = np.array(rows).T
    metrics["forget_quality"] = MetricResult(
        "forget_quality", forget_quality(ours, retrained), own.n, None, "higher"
    )
    metrics["forget_ks_statistic"] = MetricResult(
        "forget_ks_statistic", ks_statistic(ours, retrained), own.n, None, "lower"
    )


def _reference_ratios(
    run: _Run, parts: Mapping[str, Part], suite: str, reference: str | Path
) -> dict[str, float]:
    """Sample id -> truth ratio of the retrained model, for the rows of the forget set that have one.

    Read from its stored report where there is one with these rows, else the model is loaded and measured.
    """
    samples = parts["forget"].samples if "forget" in parts else ()
    wanted = [s.id for s in samples if s.perturbed_answer]
    if not wanted:
        return {}
    stored = ASSETS / "reports" / f"{reference}.json"
    if stored.exists():
        known, _ = _report_ratios(stored, suite)
        if known.keys() >= set(wanted):
            return known
    if Path(reference).suffix == ".json":
        known, split = _report_ratios(Path(reference), suite)
        missing = [i for i in wanted if i not in known]
        if missing:
            raise TokenUnlearnError(
                f'The report "{Path(reference).name}" was made on {split} and has no truth ratio for '
                f"{missing[0]}; evaluate the retrained model on the same split."
            )
        return known
    theirs = replace(run, model=load_model(str(reference), device=str(run.model.device)))
    ratios = _each(truth_ratio, theirs.answer_nlls(parts["forget"].samples, "reference"))
    return {s.id: r for s, r in zip(samples, ratios, strict=True) if r is not None}


def _report_ratios(path: Path, suite: str) -> tuple[dict[str, float], str]:
    """Truth ratios by sample id out of a report of the same suite, and what the report was made on."""
    report = Report.load(path)
    split = f"{report.suite}:{report.settings.get('forget') or 'another split'}"
    result = report.metrics.get("forget/truth_ratio_raw")
    if result is None or report.suite != suite:
        return {}, split
    pairs = zip(result.sample_ids, result.rows, strict=True)
    return {i: row for i, row in pairs if row is not None}, split
