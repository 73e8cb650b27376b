"""What to know before a model is scored or unlearned: what is wrong with its samples, what runs cost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tokenunlearn.datasets.samples import Sample, SampleSet
from tokenunlearn.errors import TokenUnlearnError
from tokenunlearn.runs.cost import RunCost
from tokenunlearn.runs.findings import (
    CHECKS,
    LEVELS,
    Case,
    Finding,
    how_far,
    nothing_selected,
    of_documents,
)

if TYPE_CHECKING:
    from tokenunlearn.attribution.selection import TokenWeights
    from tokenunlearn.models.forward import Progress
    from tokenunlearn.models.loaded_model import LoadedModel
    from tokenunlearn.training.settings import UnlearnSettings


@dataclass(frozen=True)
class Inspection:
    """What a check learns from model and samples, before it is known what a run would do.

    Attributes:
        findings: What there is to know.
        cost: What runs on these samples take, where it is known.
        forget: Name of the forget set, "" where it has none.
        documents: Ids of its samples that are documents.
    """

    findings: tuple[Finding, ...] = ()
    cost: RunCost | None = None
    forget: str = ""
    documents: tuple[str, ...] = ()

    def of_runs(
        self, runs: Sequence[UnlearnSettings] = (), weights: TokenWeights | None = None
    ) -> list[Finding]:
        """Everything worth knowing before runs with these settings and token weights, gravest first."""
        empty = nothing_selected(weights.empty, len(weights.weights)) if weights else None
        cost = Finding("cost", "note", self.cost.sentence(runs)) if self.cost and runs else None
        amount = how_far(self.forget, runs), of_documents(self.documents, runs)
        findings = filter(None, (*self.findings, empty, *amount, cost))
        return sorted(findings, key=lambda finding: LEVELS.index(finding.level))


def inspect(
    model: LoadedModel,
    forget: SampleSet | Sequence[Sample],
    retain: SampleSet | Sequence[Sample] = (),
    *,
    measure: bool = True,
    progress: Progress | None = None,
) -> Inspection:
    """Look at a model and the samples that it is to forget and retain.

    Args:
        model: The model.
        forget: The forget set.
        retain: The retained samples.
        measure: Whether to run the model on at most 64 answers, for what it knows and how fast it is.
        progress: Called after each batch of these answers with answers done and in all.

    Raises:
        TokenUnlearnError: If there are no samples.
        TemplateError: If the chat template fails or changes messages.
    """
    if not len(forget):
        raise TokenUnlearnError("There are no samples to check.")
    case = Case(model, forget, retain, measure, progress)
    findings = tuple(finding for look in CHECKS for finding in look(case))
    documents = tuple(sample.id for sample in forget if sample.document)
    return Inspection(findings, case.cost, getattr(forget, "name", ""), documents)


def refuse(model: LoadedModel, forget: SampleSet | Sequence[Sample], retain: Sequence[Sample]) -> None:
    """Refuse samples that a run cannot work with.

    Raises:
        TokenUnlearnError: The gravest finding as one sentence.
    """
    for finding in inspect(model, forget, retain, measure=False).of_runs():
        if finding.level == "error":
            raise TokenUnlearnError(finding.sentence)


def check(
    model: LoadedModel,
    forget: SampleSet | Sequence[Sample],
    retain: SampleSet | Sequence[Sample] = (),
    *,
    settings: UnlearnSettings | None = None,
    weights: TokenWeights | None = None,
    measure: bool = True,
) -> list[Finding]:
    """Everything worth knowing before a forget set is scored or unlearned, gravest first.

    Args:
        model: The model.
        forget: The forget set.
        retain: The retained samples.
        settings: What a run would do, for its memory and time.
        weights: The weights that a run would use.
        measure: Whether to run the model on at most 64 answers, for what it knows and how fast it is.

    Raises:
        TokenUnlearnError: If there are no samples.
        TemplateError: If the chat template fails or changes messages.
    """
    inspection = inspect(model, forget, retain, measure=measure)
    return inspection.of_runs([settings] if settings else [], weights)
