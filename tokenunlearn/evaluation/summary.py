"""From one value a row to metrics: means, AUCs and tests, beside the retrained model's on the same rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from tokenunlearn.errors import TokenUnlearnError
from tokenunlearn.evaluation.measurement import Column, Part
from tokenunlearn.evaluation.metrics.forget_quality import forget_quality, ks_statistic
from tokenunlearn.evaluation.metrics.membership import leakage_directions, privacy_leakage, reference_score
from tokenunlearn.evaluation.metrics.roc import auc, auc_draws, found_members, tpr_at_fpr, tpr_draws
from tokenunlearn.evaluation.metrics.utility import model_utility, utility_result
from tokenunlearn.evaluation.result import Better, MetricResult, draw_interval, mean_result

MEMBERSHIP = "membership_"
# The attack that privacy leakage is read off, as in MUSE.
LEAKAGE_ATTACK = "membership_min_k"
LEAST_PROBABILITY = 1e-300  # what a probability that has become 0 counts as, so that its logarithm exists
UTILITY_METRICS = ("probability", "rouge_l", "truth_ratio")


@dataclass
class Summary:
    """Turns measured columns into metrics; what cannot be computed is left out and noted.

    Attributes:
        parts: The parts of the suite.
        columns: What was measured on the model.
        theirs: What is known of the retrained model, or None without one.
        notes: What was left out, and why; grows.
        known: The retrained model's columns on exactly the rows of the model's.
        metrics: The results by name.
    """

    parts: Mapping[str, Part]
    columns: dict[str, Column]
    theirs: Mapping[str, Column] | None
    notes: list[str]
    known: dict[str, Column] = field(default_factory=dict)
    metrics: dict[str, MetricResult] = field(default_factory=dict)

    def compute(self) -> dict[str, MetricResult]:
        """Every metric by name."""
        for name, column in self.columns.items():
            same = _matched((self.theirs or {}).get(name), column)
            if same is not None:
                self.known[name] = same
        if self.theirs is not None:
            self._reference_attack()
        for name, column in self.columns.items():
            if name.startswith(MEMBERSHIP):
                self._membership(name, column)
            else:
                self._mean(name, column)
        self._utility()
        if self.theirs is not None:
            self._forget_quality()
            self._leakage()
        return self.metrics

    def _mean(self, name: str, column: Column) -> None:
        result = mean_result(name, column.rows, column.sample_ids, column.better)
        if result is not None:
            same = self.known.get(name)
            self.metrics[name] = replace(result, reference=None if same is None else _mean(same.rows))

    def _reference_attack(self) -> None:
        """Adds the score that compares with the retrained model, from mean token probabilities."""
        names = [f"{n}/probability" for role in ("forget", "holdout") for n in self._parts(role)]
        if len(names) < 2:
            return
        if not all(name in self.known for name in names):
            self.notes.append(
                "No membership_reference, because the retrained model's probability is unknown on these rows."
            )
            return
        own, theirs = (
            np.log(np.maximum(np.concatenate([_values(source[n]) for n in names]), LEAST_PROBABILITY))
            for source in (self.columns, self.known)
        )
        scores = tuple(reference_score(a, b) for a, b in zip(own, theirs, strict=True))
        ids = sum((self.columns[n].sample_ids for n in names), ())
        self.columns[f"{MEMBERSHIP}reference"] = Column(scores, ids, "reference")
        self.known[f"{MEMBERSHIP}reference"] = Column((0.0,) * len(ids), ids, "reference")

    def _membership(self, name: str, column: Column) -> None:
        """AUC of one attack, and the share of members found at 1 % false positives."""
        own, same = self._groups(column), self.known.get(name)
        theirs = None if same is None else self._groups(same)
        self.metrics[name] = MetricResult(
            name,
            auc(*own),
            len(column.rows),
            draw_interval(auc_draws(*own)),
            "reference",
            rows=column.rows,
            sample_ids=column.sample_ids,
            reference=None if theirs is None else auc(*theirs),
        )
        members = len(own[0])
        self.metrics[f"{name}_tpr"] = MetricResult(
            f"{name}_tpr",
            tpr_at_fpr(*own),
            members,
            draw_interval(tpr_draws(*own)),
            "reference",
            rows=tuple(float(found) for found in found_members(*own)),
            sample_ids=column.sample_ids[:members],
            reference=None if theirs is None else tpr_at_fpr(*theirs),
        )

    def _groups(self, column: Column) -> tuple[np.ndarray, np.ndarray]:
        """Scores of the forget rows and of the holdout rows."""
        members = sum(len(self.parts[name].samples) for name in self._parts("forget"))
        values = _values(column)
        return values[:members], values[members:]

    def _parts(self, *roles: str) -> list[str]:
        return [name for name, part in self.parts.items() if part.role in roles]

    def _utility(self) -> None:
        wanted = {name: [f"{name}/{m}" for m in UTILITY_METRICS] for name in self._parts("retain", "options")}
        missing = [metric for names in wanted.values() for metric in names if metric not in self.metrics]
        if missing:
            self.notes.append(f"No model utility, because {missing[0]} is missing.")
            return
        tables = {name: {m: self.columns[m].rows for m in names} for name, names in wanted.items()}
        result = utility_result(tables)
        everything = [m for names in wanted.values() for m in names]
        if all(m in self.known for m in everything):
            theirs = model_utility([_mean(self.known[m].rows) for m in everything])
            result = replace(result, reference=theirs)
        self.metrics["model_utility"] = result

    def _forget_quality(self) -> None:
        """The KS test between this model's truth ratios and the retrained model's on the same rows."""
        own, theirs = (source.get("forget/truth_ratio_raw") for source in (self.columns, self.known))
        if own is None or theirs is None:
            self.notes.append("No forget quality, because there is no truth ratio on the forget set.")
            return
        ours, retrained = (_values(c)[~np.isnan(_values(own))] for c in (own, theirs))
        quality, distance = forget_quality(ours, retrained), ks_statistic(ours, retrained)
        for result in (
            MetricResult("forget_quality", quality, len(ours), None, "higher", reference=1.0),
            MetricResult("forget_ks_statistic", distance, len(ours), None, "lower", reference=0.0),
        ):
            self.metrics[result.name] = result

    def _leakage(self) -> None:
        """Privacy leakage of one attack, signed, and both directions apart."""
        column, same = self.columns.get(LEAKAGE_ATTACK), self.known.get(LEAKAGE_ATTACK)
        if column is None:
            return
        if same is None:
            self.notes.append(
                f"No privacy leakage, because the retrained model has no {LEAKAGE_ATTACK} on these rows."
            )
            return
        own, theirs = self._groups(column), self._groups(same)
        try:
            value = privacy_leakage(auc(*own), auc(*theirs))
        except TokenUnlearnError as error:
            self.notes.append(f"No privacy leakage: {error}")
            return
        pairs = list(zip(auc_draws(*own), auc_draws(*theirs), strict=True))
        signed = np.array([privacy_leakage(a, b) for a, b in pairs if b < 1])
        sides = np.array([leakage_directions(a, b) for a, b in pairs])
        under, over = leakage_directions(auc(*own), auc(*theirs))
        figures: tuple[tuple[str, float, np.ndarray, Better], ...] = (
            ("privacy_leakage", value, signed, "reference"),
            ("privacy_leakage_under", under, sides[:, 0], "lower"),
            ("privacy_leakage_over", over, sides[:, 1], "lower"),
        )
        for name, figure, draws, better in figures:
            interval = draw_interval(draws)
            self.metrics[name] = MetricResult(name, figure, len(column.rows), interval, better, reference=0.0)


def _matched(theirs: Column | None, own: Column) -> Column | None:
    """The retrained model's column on exactly the rows that this model has values for, or None."""
    if theirs is None:
        return None
    values = dict(zip(theirs.sample_ids, theirs.rows, strict=True))
    rows = [None if row is None else values.get(i) for i, row in zip(own.sample_ids, own.rows, strict=True)]
    if [row is None for row in rows] != [row is None for row in own.rows]:
        return None
    return replace(own, rows=tuple(rows))


def _mean(rows: Sequence[float | None]) -> float:
    return float(np.mean([row for row in rows if row is not None]))


def _values(column: Column) -> np.ndarray:
    return np.array([np.nan if row is None else row for row in column.rows], dtype=float)
