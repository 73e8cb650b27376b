"""Suites of multiple-choice questions: WMDP, MMLU and the embedded alchemy."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from tokenunlearn.datasets import load_choices
from tokenunlearn.datasets.choices import ChoiceSet
from tokenunlearn.errors import TokenUnlearnError
from tokenunlearn.evaluation.letters import letter_log_probs
from tokenunlearn.evaluation.metrics import METRICS, ChoiceMetric
from tokenunlearn.evaluation.metrics.metric import Column
from tokenunlearn.evaluation.metrics.retained_pairs import pair_results
from tokenunlearn.evaluation.report import Report, git_revision, shipped_report_file, versions
from tokenunlearn.evaluation.result import Better, MetricResult
from tokenunlearn.models import forward
from tokenunlearn.models.loaded_model import LoadedModel
from tokenunlearn.models.loading import load_model


@dataclass(frozen=True)
class ChoicePart:
    """Questions of a suite under a name, and which way their accuracy should go."""

    name: str
    questions: ChoiceSet
    better: Better


def wmdp_parts() -> list[ChoicePart]:
    """WMDP's three parts, all to be forgotten."""
    return [ChoicePart(part, load_choices(f"wmdp:{part}"), "lower") for part in ("bio", "chem", "cyber")]


def mmlu_parts() -> list[ChoicePart]:
    """MMLU subject by subject, all to be kept."""
    whole = load_choices("mmlu:all")
    subjects = list(dict.fromkeys(q.subject for q in whole))
    parts = {s: ChoiceSet(whole.name, tuple(q for q in whole if q.subject == s)) for s in subjects}
    return [ChoicePart(s.replace(" ", "_"), questions, "higher") for s, questions in parts.items()]


def alchemy_parts() -> list[ChoicePart]:
    """Questions on the invented hazard, to be forgotten; on its neighbor and on the world, to be retained."""
    return [
        ChoicePart("forget", load_choices("alchemy:questions"), "lower"),
        ChoicePart("retain", load_choices("alchemy:neighbour_questions"), "higher"),
        ChoicePart("general", load_choices("alchemy:general_questions"), "higher"),
    ]


# A new suite is one function without arguments to its parts, and one line here.
CHOICE_SUITES: dict[str, Callable[[], list[ChoicePart]]] = {
    "wmdp": wmdp_parts,
    "mmlu": mmlu_parts,
    "alchemy": alchemy_parts,
}


def evaluate_choices(
    model: LoadedModel,
    suite: str,
    retrained: str | Path | None = None,
    *,
    start: Report | str | Path | None = None,
    limit: int | None = None,
    token_budget: int | None = None,
    progress: Callable[[str, int, int], None] | None = None,
) -> Report:
    """Accuracy of a model on every part of a suite of multiple-choice questions.

    The report holds ids and per-row values, never what a question asks.

    Args:
        model: The model.
        suite: One of ``CHOICE_SUITES``.
        retrained: The retrained model, whose accuracy on the same questions is shown next to the model's: a
            name, or the path of its stored report. A name with a report in ``assets/reports`` that covers
            the questions is not loaded.
        start: The model before unlearning: its report, the path of it, or a name. Retained pairs need it.
        limit: At most this many questions a part, evenly spread.
        token_budget: Most tokens in one batch.
        progress: Called with phase, done and total.

    Raises:
        TokenUnlearnError: If the suite is unknown, the limit is below 1, or the retrained model's report
            covers other questions.
        ModelNotFoundError: If the retrained model cannot be loaded.
        DatasetError: If its questions cannot be loaded.
        SampleTooLongError: If no question of a part fits the model's context.
    """
    if suite not in CHOICE_SUITES:
        raise TokenUnlearnError(f'There is no suite "{suite}"; use one of {", ".join(CHOICE_SUITES)}.')
    if limit is not None and limit < 1:
        raise TokenUnlearnError(f"limit is {limit}; at least 1 question per split is needed.")
    say = progress or (lambda phase, done, total: None)
    started = time.monotonic()
    parts = [replace(part, questions=part.questions.spread(limit)) for part in CHOICE_SUITES[suite]()]
    budget = token_budget or forward.TOKEN_BUDGET

    def known(role: str, name: str | Path) -> Mapping[str, MetricResult]:
        stored = _stored(role, name, suite, parts)
        if stored is not None:
            return stored
        other = load_model(str(name), device=str(model.device), template_kwargs=model.template_kwargs)
        return _measured(other, parts, budget, lambda part, *at: say(f"{role}: {part}", *at))

    baseline = None if retrained is None else known("retrained", retrained)
    before = start.metrics if isinstance(start, Report) else start and known("start", start)
    metrics = _measured(model, parts, budget, say)
    if baseline is not None:
        metrics = {name: _beside(result, baseline[name]) for name, result in metrics.items()}
    if before:
        metrics = _with_pairs(metrics, before, baseline)
    notes = [
        f"{part.name}: {left} questions do not fit the model's context and are skipped."
        for part in parts
        if (left := len(metrics[f"{part.name}/accuracy"].rows) - metrics[f"{part.name}/accuracy"].n)
    ]
    chances = sorted({round(r.chance, 4) for r in metrics.values() if r.chance is not None})
    notes.append(f"Guessing scores {', '.join(f'{chance:g}' for chance in chances)}.")
    return Report(
        model=model.name,
        revision=model.revision,
        suite=suite,
        settings={"limit": limit, "retrained": str(retrained or "")},
        metrics=metrics,
        notes=notes,
        versions=versions(),
        git_revision=git_revision(),
        device=str(model.device),
        seconds=time.monotonic() - started,
    )


def _measured(
    model: LoadedModel,
    parts: list[ChoicePart],
    token_budget: int,
    progress: Callable[[str, int, int], None],
) -> dict[str, MetricResult]:
    """The metrics of every part, by name."""
    metrics = [metric for metric in METRICS.values() if isinstance(metric, ChoiceMetric)]
    results = []
    for part in parts:
        log_probs = letter_log_probs(
            model, part.questions, token_budget=token_budget, progress=partial(progress, part.name)
        )
        results += [m.of(f"{part.name}/{m.name}", part.questions, log_probs, part.better) for m in metrics]
    return {result.name: result for result in results}


def _stored(
    role: str, model: str | Path, suite: str, parts: list[ChoicePart]
) -> Mapping[str, MetricResult] | None:
    """Results of the stored report of the start or retrained model; None where it has to be loaded."""
    named = Path(model).suffix == ".json"
    path = Path(model) if named else shipped_report_file(model)
    if path is None:
        return None
    report = Report.load(path)
    for part in parts:
        result = report.metrics.get(f"{part.name}/accuracy")
        lacks = [q.id for q in part.questions if result is None or q.id not in result.sample_ids]
        if lacks and named:
            raise TokenUnlearnError(
                f'The report "{path.name}" was created on {report.suite} and has no answer to {lacks[0]}; '
                f"evaluate the {role} model on {suite}."
            )
        if lacks:
            return None
    return report.metrics


def _with_pairs(
    metrics: Mapping[str, MetricResult],
    start: Mapping[str, MetricResult],
    retrained: Mapping[str, MetricResult] | None,
) -> dict[str, MetricResult]:
    """The metrics, each accuracy to be kept followed by its pairs with the start model's."""
    results: list[MetricResult] = []
    for name, result in metrics.items():
        results.append(result)
        if result.better == "higher" and name in start:
            ids = result.sample_ids
            others = _rows_of(retrained[name], ids) if retrained else None
            part = name.rpartition("/")[0]
            results += pair_results(part, ids, result.rows, _rows_of(start[name], ids), others)
    return {result.name: result for result in results}


def _rows_of(result: MetricResult, sample_ids: Sequence[str]) -> tuple[float | None, ...]:
    return Column(result.rows, result.sample_ids, result.better).rows_of(sample_ids)


def _beside(result: MetricResult, retrained: MetricResult) -> MetricResult:
    """A result with the retrained model's accuracy on the same questions."""
    rows = _rows_of(retrained, result.sample_ids)
    known = [row for row in rows if row is not None]
    return replace(result, retrained=sum(known) / len(known), retrained_rows=rows) if known else result
