"""Suites of multiple-choice questions: WMDP, MMLU and the embedded alchemy."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from tokenunlearn import forward
from tokenunlearn.datasets import load_choices
from tokenunlearn.datasets.choices import ChoiceSet
from tokenunlearn.errors import TokenUnlearnError
from tokenunlearn.evaluation.multiple_choice import multiple_choice_accuracy
from tokenunlearn.evaluation.report import Report, git_revision, versions
from tokenunlearn.evaluation.result import Better, MetricResult
from tokenunlearn.models import LoadedModel


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
    """Questions about the invented hazard, to be forgotten, and about its harmless neighbour, to be kept."""
    return [
        ChoicePart("forget", load_choices("alchemy:questions"), "lower"),
        ChoicePart("retain", load_choices("alchemy:neighbour_questions"), "higher"),
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
    *,
    limit: int | None = None,
    token_budget: int | None = None,
    progress: Callable[[str, int, int], None] | None = None,
) -> Report:
    """Accuracy of a model on every part of a suite of multiple-choice questions.

    The report holds ids and per-row values, never what a question asks.

    Args:
        model: The model.
        suite: One of ``CHOICE_SUITES``.
        limit: At most this many questions a part, evenly spread.
        token_budget: Most tokens in one batch.
        progress: Called with phase, done and total.

    Raises:
        TokenUnlearnError: If the suite is unknown or the limit is below 1.
        DatasetError: If its questions cannot be loaded.
        SampleTooLongError: If no question of a part fits the model's context.
    """
    if suite not in CHOICE_SUITES:
        raise TokenUnlearnError(f'There is no suite "{suite}"; use one of {", ".join(CHOICE_SUITES)}.')
    if limit is not None and limit < 1:
        raise TokenUnlearnError(f"limit is {limit}; at least 1 question a part is needed.")
    started = time.monotonic()
    metrics: dict[str, MetricResult] = {}
    notes: list[str] = []
    for part in CHOICE_SUITES[suite]():
        result = multiple_choice_accuracy(
            model,
            part.questions.spread(limit),
            part.better,
            name=f"{part.name}/accuracy",
            token_budget=token_budget or forward.TOKEN_BUDGET,
            progress=lambda done, total, name=part.name: progress and progress(name, done, total),  # type: ignore[misc]
        )
        metrics[result.name] = result
        if left := len(result.rows) - result.n:
            notes.append(f"{part.name}: {left} questions do not fit the model's context and are left out.")
    chances = sorted({round(result.chance or 0.0, 4) for result in metrics.values()})
    notes.append(f"Guessing scores {', '.join(f'{chance:g}' for chance in chances)}.")
    return Report(
        model=model.name,
        revision=model.revision,
        suite=suite,
        settings={"limit": limit},
        metrics=metrics,
        notes=notes,
        versions=versions(),
        git_revision=git_revision(),
        device=str(model.device),
        seconds=time.monotonic() - started,
    )
