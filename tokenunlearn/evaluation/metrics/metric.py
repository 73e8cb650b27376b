"""What a metric is: what it reads, and how results come of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from tokenunlearn.evaluation.result import Better, MetricResult, mean_result

if TYPE_CHECKING:
    from tokenunlearn.datasets.choices import ChoiceSet
    from tokenunlearn.datasets.samples import SampleSet
    from tokenunlearn.evaluation.judges import Fluency
    from tokenunlearn.evaluation.measurement import MeasuredPart, Part
    from tokenunlearn.models.forward import Progress
    from tokenunlearn.models.loaded_model import LoadedModel

JUDGED = ("forget", "retain", "options")


class LeftOut(Exception):
    """Why a figure cannot be computed, as a note of the report."""


@dataclass(frozen=True)
class Column:
    """One value a row; None where the metric does not apply.

    Attributes:
        rows: The values.
        sample_ids: Ids of the rows.
        better: Which way they should go.
        members: How many of the rows, the first ones, are forget samples, where others follow that no model
            has seen.
    """

    rows: tuple[float | None, ...]
    sample_ids: tuple[str, ...]
    better: Better
    members: int = 0

    @property
    def values(self) -> np.ndarray:
        """(rows,) the values, NaN for None."""
        return np.array([np.nan if row is None else row for row in self.rows], dtype=float)

    @property
    def mean(self) -> float:
        """Mean of the rows that have a value."""
        return float(np.mean([row for row in self.rows if row is not None]))

    def rows_of(self, sample_ids: Sequence[str]) -> tuple[float | None, ...]:
        """The values of some samples; None where there is none."""
        values = dict(zip(self.sample_ids, self.rows, strict=True))
        return tuple(map(values.get, sample_ids))

    @property
    def groups(self) -> tuple[np.ndarray, np.ndarray]:
        """Values of the members and of the others."""
        return self.values[: self.members], self.values[self.members :]


@dataclass(frozen=True)
class Comparison:
    """All columns of a suite, and what is known of the start and the retrained model.

    Attributes:
        parts: The parts of the suite.
        columns: "part/metric", or the metric alone where it spans parts -> values of the model.
        retrained: The same of the retrained model on exactly the same rows, as far as known; None without
            one.
        start: The same of the start model, on the rows that it was measured on; None without one.
        answers: Part -> sample id -> greedy answer.
        retrained_answers: The same of the retrained model, as far as known.
        fluency: Says which answers are broken.
        notes: What a reader of the figures needs to know; metrics add to it.
    """

    parts: Mapping[str, Part]
    columns: Mapping[str, Column]
    retrained: Mapping[str, Column] | None
    start: Mapping[str, Column] | None
    answers: Mapping[str, Mapping[str, str]]
    retrained_answers: Mapping[str, Mapping[str, str]]
    fluency: Fluency
    notes: list[str] = field(default_factory=list)

    def parts_of(self, *roles: str) -> list[str]:
        """Names of the parts that have one of the roles."""
        return [name for name, part in self.parts.items() if part.role in roles]


@dataclass(frozen=True)
class Metric:
    """A figure of a report.

    A new metric is one file and one line in :data:`tokenunlearn.evaluation.metrics.METRICS`.

    Attributes:
        name: Its name in reports, behind "part/" where it is one part's.
        help: One sentence for lists.
        needs: What it reads: values out of :class:`~tokenunlearn.evaluation.measurement.MeasuredPart`, or
            other columns.
    """

    name: str
    help: str
    needs: tuple[str, ...]


@dataclass(frozen=True)
class PartMetric(Metric):
    """One value for each row of a part, and their mean.

    Attributes:
        rows: From what was measured on a part to a value a row; None where it does not apply.
        roles: Roles of the parts that it is measured on.
        better: Which way it should go; by default the part's own direction.
        without: What the report notes where a part lacks one of the needs.
    """

    rows: Callable[[MeasuredPart], Sequence[Any] | np.ndarray]
    roles: tuple[str, ...] = JUDGED
    better: Better | None = None
    without: Mapping[str, str] = field(default_factory=dict)
    pooled: ClassVar[bool] = False

    def results(self, name: str, column: Column, retrained: Column | None) -> list[MetricResult]:
        """Results of one column, beside the retrained model's on the same rows."""
        result = mean_result(name, column.rows, column.sample_ids, column.better)
        if result and retrained:
            result = replace(result, retrained=retrained.mean, retrained_rows=retrained.rows)
        return [result] if result else []


@dataclass(frozen=True)
class SuiteMetric(Metric):
    """Figures of the whole suite, computed from columns.

    Attributes:
        of: From all columns to results; raises :class:`LeftOut` with the reason where one is missing.
    """

    of: Callable[[Comparison], list[MetricResult]]


@dataclass(frozen=True)
class Models:
    """The three models that a figure of their insides compares.

    Attributes:
        model: The unlearned model.
        start: The model before unlearning.
        retrained: The model that never saw the forget set.
    """

    model: LoadedModel
    start: LoadedModel
    retrained: LoadedModel


@dataclass(frozen=True)
class ModelMetric(Metric):
    """A figure of a part to be forgotten that reads the insides of three models; measured on request.

    Attributes:
        of: From models, samples and progress to a result; None where no sample has a value.
    """

    of: Callable[[Models, SampleSet, Progress], MetricResult | None]


@dataclass(frozen=True)
class ChoiceMetric(Metric):
    """A figure of multiple-choice questions.

    Attributes:
        of: From name, questions, log-probabilities of each question's letters, in nats, and the direction to
            a result.
    """

    of: Callable[[str, ChoiceSet, Sequence[Any], Better], MetricResult]
