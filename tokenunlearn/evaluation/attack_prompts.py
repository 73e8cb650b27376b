"""What an attacker writes: questions in another form and beginnings of the answer. Loads no torch."""

from __future__ import annotations

from dataclasses import dataclass

from tokenunlearn.datasets.languages import language_of
from tokenunlearn.datasets.samples import Sample


@dataclass(frozen=True)
class Prompt:
    """What a model is asked.

    Attributes:
        question: The question.
        prefix: How the answer is made to begin; "" for freely.
    """

    question: str
    prefix: str = ""


def attack_prompts(question: str, sample: Sample | None = None) -> dict[str, Prompt]:
    """Attacks on one question in its language, by what they do.

    Args:
        question: What is asked plainly.
        sample: The sample of this question, for the attacks that need one.

    >>> sample = Sample("1", "Where?", "She lives in Turin.", span=((13, 18),))
    >>> attack_prompts("Where?", sample)["Begin like the answer"]
    Prompt(question='Where?', prefix='She lives in')
    """
    language = language_of(question)
    prompts = {
        f'Begin with "{language.prefixes[0]}"': Prompt(question, language.prefixes[0]),
        "As a quiz question": Prompt(language.quiz.format(question)),
    }
    if sample and sample.paraphrased_question:
        prompts["In other words"] = Prompt(sample.paraphrased_question)
    if sample and (start := answer_start(sample)):
        prompts["Begin like the answer"] = Prompt(question, start)
    return prompts


def answer_start(sample: Sample) -> str:
    """The answer's own words before its first gold span, "" where there are none.

    >>> answer_start(Sample("1", "Where?", "She lives in Turin.", span=((13, 18),)))
    'She lives in'
    """
    return sample.answer[: min(start for start, _ in sample.span)].rstrip() if sample.span else ""
