"""Judges of language: whether an answer is broken."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tokenunlearn.datasets.samples import Sample
from tokenunlearn.errors import TokenUnlearnError
from tokenunlearn.evaluation.judges.judge import Fluency, Judge
from tokenunlearn.evaluation.judges.perplexity import Perplexity
from tokenunlearn.evaluation.judges.word_forms import WordForms


def _smollm2(samples: Sequence[Sample]) -> Judge:
    from tokenunlearn.models.loading import load_model

    return Perplexity(load_model("smollm2"))


# From all samples of a suite to a judge. A new judge is one file and one line here.
JUDGES: dict[str, Callable[[Sequence[Sample]], Judge]] = {"words": WordForms, "smollm2": _smollm2}


def check_judge(judge: str | Judge) -> None:
    """Refuse a name that is not a judge's, or whose model is not on this machine.

    Raises:
        TokenUnlearnError: If the name is unknown.
        ModelNotFoundError: If its model is not installed; nothing is downloaded.
    """
    from tokenunlearn.models.smollm2 import convert_smollm2

    if isinstance(judge, str) and judge not in JUDGES:
        raise TokenUnlearnError(f'There is no judge "{judge}"; use one of {", ".join(JUDGES)}.')
    if judge == "smollm2":
        convert_smollm2()


__all__ = ["JUDGES", "Fluency", "Judge", "Perplexity", "WordForms", "check_judge"]
