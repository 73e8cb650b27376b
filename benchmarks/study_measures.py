"""How the study measures: a world's questions in two halves, and what a model is on each.

Every question of a world belongs to one of two halves: settings are chosen on the validation half, figures
are reported on the test half. Training sees the whole forget set.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch

import tokenunlearn as tu
from benchmarks.lower_layers import LowerLayers
from benchmarks.selectivity import gold_tokens
from benchmarks.study_plan import Row, World
from tokenunlearn.datasets.samples import SampleSet
from tokenunlearn.evaluation.judges import JUDGES, Fluency
from tokenunlearn.evaluation.measurement import Forms, MeasuredPart, Measurement, Meter, Part
from tokenunlearn.evaluation.metrics import METRICS, PartMetric
from tokenunlearn.evaluation.metrics.metric import Column
from tokenunlearn.evaluation.metrics.outcomes import OUTCOMES, SHARED_BY, outcome
from tokenunlearn.evaluation.metrics.utility import model_utility
from tokenunlearn.evaluation.metrics.words import states, words
from tokenunlearn.evaluation.report import stored_report
from tokenunlearn.evaluation.suites.suite import SUITES
from tokenunlearn.evaluation.summary import calibrated, summarize
from tokenunlearn.models.loaded_model import LoadedModel

VALIDATION, TEST = 0, 1
HALVES_SEED = 2026
# Measured between steps, by one forward pass over each text; the others need generated answers.
TRACED = ("probability", "exact_memorization", "truth_ratio_raw", "truth_ratio")
ANSWERED = (*TRACED, "rouge_l", "gold_span")
UTILITY = ("probability", "truth_ratio")
# What a run reports at the end, next to its rows.
REPORTED = (
    "forget/exact_memorization",
    "forget_quality",
    "forget_ks_statistic",
    "retain/retained_pairs",
    "retain/exact_memorization",
    "model_utility",
)


def halved(part: Part, half: int, limit: int) -> Part:
    """One half of a part's rows, drawn at random, the same in every run; at most ``limit`` of them."""
    order = np.random.default_rng(HALVES_SEED).permutation(len(part.samples))
    rows = tuple(part.samples[int(i)] for i in sorted(order[half::2]))
    return replace(part, samples=SampleSet(part.samples.name, rows).spread(limit))


@dataclass(frozen=True)
class Point:
    """What a model is on one half of the questions, without generating.

    Attributes:
        p: Forget question -> geometric mean probability of its gold tokens; None without gold tokens.
        ratio: Forget question -> truth ratio; None without wrong answers.
        retain: Mean of the same probability over the retained questions.
        utility: Harmonic mean of probability and truth ratio over the retained parts: model utility without
            its generated answers.
    """

    p: tuple[float | None, ...]
    ratio: tuple[float | None, ...]
    retain: float
    utility: float

    def described(self) -> Row:
        """The point as plain values."""
        return {
            "utility": _rounded(self.utility),
            "retain": _rounded(self.retain),
            "p": [*map(_rounded, self.p)],
            "ratio": [*map(_rounded, self.ratio)],
        }


def _rounded(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else float(f"{value:.4g}")


def gold_probability(part: MeasuredPart) -> list[float | None]:
    """Geometric mean probability of each answer's gold tokens, 0..1; None without gold tokens."""
    gold = [gold_tokens(e, s) for e, s in zip(part.encodings, part.samples, strict=True)]
    return [
        float(np.exp(-t.nll[mask].mean())) if mask.any() else None
        for t, mask in zip(part.tokens, gold, strict=True)
    ]


def distance(p: Sequence[float | None], retrained: Sequence[float | None]) -> float:
    """Mean over questions of the absolute difference of two models' gold probabilities, 0..1."""
    return float(
        np.mean([abs(a - b) for a, b in zip(p, retrained, strict=True) if a is not None and b is not None])
    )


class Half:
    """One half of a world's questions.

    Forget and retained questions are measured up to the limit of the world's budget, other parts up to half
    of it; a point reads up to half of the limit of the retained ones as well.

    Args:
        world: The world.
        half: ``VALIDATION`` or ``TEST``.
    """

    def __init__(self, world: World, half: int) -> None:
        limit = world.budget.limit
        every = SUITES[world.suite].parts(world.forget, world.measured, None)
        self.parts = {
            name: halved(part, half, limit // 2 if part.role == "options" else limit)
            for name, part in every.items()
            if part.role != "holdout"
        }
        self.traced = {
            name: part if part.role == "forget" else replace(part, samples=part.samples.spread(limit // 2))
            for name, part in self.parts.items()
        }
        self.unread = {"truth_ratio", "truth_ratio_raw"} if half == VALIDATION else set()

    def measure(self, model: LoadedModel, answers: bool) -> tuple[Measurement, Point]:
        """Columns of a model, with generated answers or without, and its point."""
        training = model.model.training
        model.model.eval()
        try:
            with torch.no_grad():
                return self._measure(model, answers)
        finally:
            model.model.train(training)

    def _measure(self, model: LoadedModel, answers: bool) -> tuple[Measurement, Point]:
        meter = Meter(model, None, lambda *_: None)
        measurement, gold = Measurement(), {}
        for name, part in (self.parts if answers else self.traced).items():
            measured = MeasuredPart(meter, name, part, Forms())
            unread = self.unread if part.role == "forget" else ()
            for metric in (METRICS[m] for m in (ANSWERED if answers else TRACED) if m not in unread):
                assert isinstance(metric, PartMetric)
                if part.role in metric.roles:
                    measurement.take(metric, measured)
            if answers:
                measurement.generations[name] = measured.generations()
            if part.role != "options":
                gold[name] = dict(zip(measured.ids, gold_probability(measured), strict=True))
        return measurement, self._point(measurement.columns, gold)

    def _point(self, columns: Mapping[str, Column], gold: Mapping[str, Mapping[str, float | None]]) -> Point:
        ids = {name: [s.id for s in part.samples] for name, part in self.traced.items()}
        kept = [columns[f"{n}/{m}"].rows_of(ids[n]) for n in ids if n != "forget" for m in UTILITY]
        ratio = columns.get("forget/truth_ratio_raw")
        return Point(
            tuple(gold["forget"][i] for i in ids["forget"]),
            ratio.rows_of(ids["forget"]) if ratio else (),
            _mean(gold["retain"][i] for i in ids["retain"]),
            model_utility([_mean(rows) for rows in kept]),
        )


def _mean(values: Iterable[float | None]) -> float:
    return float(np.mean([value for value in values if value is not None]))


class Case:
    """A world with its model loaded, and what start and retrained model are on both halves.

    Args:
        world: The world.

    Attributes:
        lower: Layers that no run of the world changes.
    """

    def __init__(self, world: World) -> None:
        self.world, self.lower = world, LowerLayers(world.first_layer)
        self.model = tu.load_model(world.model)
        self.forget = tu.load_samples(f"{world.suite}:{world.forget}")
        self.retain = tu.load_samples(f"{world.suite}:{world.retain}")
        self.validation, self.test = Half(world, VALIDATION), Half(world, TEST)

    @cached_property
    def _retrained(self) -> LoadedModel:
        return tu.load_model(self.world.retrained)

    @cached_property
    def levels(self) -> tuple[Point, Point]:
        """Start and retrained model on the validation half."""
        models = self.model, self._retrained
        start, retrained = (self._measured(self.validation, model, answers=False) for model in models)
        return start[1], retrained[1]

    @cached_property
    def start(self) -> tuple[Measurement, Point]:
        """The start model on the test half."""
        return self._measured(self.test, self.model, answers=True)

    @cached_property
    def retrained(self) -> tuple[Measurement, Point]:
        """The retrained model on the test half."""
        return self._measured(self.test, self._retrained, answers=True)

    def _measured(self, half: Half, model: LoadedModel, answers: bool) -> tuple[Measurement, Point]:
        with self.lower.once(model):
            return half.measure(model, answers)

    @cached_property
    def fluency(self) -> Fluency:
        """Says which answers are broken.

        Its limit is set on the start model's answers to all retained questions where its stored report has
        them, else on the true ones.
        """
        world = self.world
        parts = SUITES[world.suite].parts(world.forget, world.measured, None)
        report = stored_report(world.model, world.suite)
        start = Measurement(generations=dict(report.generations)) if report else None
        return calibrated(JUDGES["words"]([s for p in parts.values() for s in p.samples]), parts, start, None)

    def figures(self, measurement: Measurement) -> Row:
        """What is reported of a model on the test half: figures, the rows behind them, and its answers."""
        results = summarize(self.test.parts, measurement, self.retrained[0], self.start[0], self.fluency)
        outcomes = self.outcomes(measurement)
        shares = {f"forget/{name}": _rounded(outcomes.count(name) / len(outcomes)) for name in OUTCOMES}
        reported = {name: _rounded(results[name].value) for name in REPORTED if name in results}
        return {
            "metrics": shares | reported,
            "outcomes": outcomes,
            "answers": measurement.answers["forget"],
            "exact_memorization": [*map(_rounded, results["forget/exact_memorization"].rows)],
            "retained_pairs": [*map(_rounded, results["retain/retained_pairs"].rows)],
        }

    def outcomes(self, measurement: Measurement) -> list[str]:
        """The outcome of each forget question.

        Facts of others are the gold spans that at most two measured questions have; one that the retrained
        model's answer states as well counts for nothing.
        """
        parts = self.test.parts
        facts = [
            f for p in parts.values() if p.role in ("forget", "retain") for s in p.samples for f in s.facts
        ]
        shared = Counter(" ".join(words(fact)) for fact in facts)
        spans = [fact for fact in facts if shared[" ".join(words(fact))] <= SHARED_BY]
        samples = list(parts["forget"].samples)
        answers, guesses = (known.answers["forget"] for known in (measurement, self.retrained[0]))
        broken = self.fluency.broken(samples, [answers[s.id] for s in samples])
        return [
            outcome(s, answers[s.id], broken=odd, spans=(x for x in spans if not states(guesses[s.id], x)))
            for s, odd in zip(samples, broken, strict=True)
        ]

    def head(self) -> Row:
        """The world, its questions, and the start and retrained model on the test half."""
        return {
            "world": self.world.described(),
            "forget_ids": [s.id for s in self.test.parts["forget"].samples],
            "questions": {name: len(part.samples) for name, part in self.test.parts.items()},
            **{
                name: point.described() | self.figures(measurement)
                for name, (measurement, point) in (("start", self.start), ("retrained", self.retrained))
            },
        }
