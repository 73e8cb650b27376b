"""Judges of language: whether an answer is broken."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from tokenunlearn.datasets.samples import Sample
from tokenunlearn.errors import ModelNotFoundError, TokenUnlearnError
from tokenunlearn.evaluation.judges.judge import Fluency, Judge
from tokenunlearn.evaluation.judges.perplexity import Perplexity
from tokenunlearn.evaluation.judges.word_forms import WordForms

if TYPE_CHECKING:
    from tokenunlearn.models.forward import Progress
    from tokenunlearn.models.loaded_model import LoadedModel

AUTO = "auto"
# Models below this many parameters say the words of the texts that they were trained on, and no others.
SMALL = 50_000_000


def _words(samples: Sequence[Sample], progress: Progress | None = None) -> Judge:
    return WordForms(samples)


def _smollm2(samples: Sequence[Sample], progress: Progress | None = None) -> Judge:
    from tokenunlearn.models.loading import load_model

    return Perplexity(load_model("smollm2"), progress)


# From all samples of a suite, and progress over answers, to a judge. A new one is one file and one line here.
JUDGES: dict[str, Callable[..., Judge]] = {"words": _words, "smollm2": _smollm2}


def check_judge(judge: str | Judge) -> None:
    """Refuse a name that is not a judge's, or whose model is not on this machine.

    Raises:
        TokenUnlearnError: If the name is unknown.
        ModelNotFoundError: If its model is not installed; nothing is downloaded.
    """
    from tokenunlearn.models.smollm2 import convert_smollm2

    if isinstance(judge, str) and judge not in (names := (AUTO, *JUDGES)):
        raise TokenUnlearnError(f'There is no judge "{judge}"; use one of {", ".join(names)}.')
    if judge == "smollm2":
        convert_smollm2()


def fitting_judge(model: LoadedModel) -> tuple[str, list[str]]:
    """The judge that fits a model's answers, and what there is to say of it.

    ``words`` finds more faults in answers of a small model; a larger one also speaks fluently in words that
    a suite does not have, which ``words`` calls broken, so its judge is ``smollm2`` where that can be had.
    """
    if model.parameters < SMALL:
        return "words", []
    try:
        check_judge("smollm2")
    except ModelNotFoundError as error:
        return "words", [
            "The judge of broken answers is words, which calls fluent answers in other words broken too: "
            f"{error}"
        ]
    return "smollm2", []


__all__ = [
    "AUTO",
    "JUDGES",
    "Fluency",
    "Judge",
    "Perplexity",
    "WordForms",
    "check_judge",
    "fitting_judge",
]
