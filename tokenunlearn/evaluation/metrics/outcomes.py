"""What became of a forgotten answer: it leaks, leaks another fact, is declined, broken, or wrong."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import islice

from tokenunlearn.datasets.languages import LANGUAGES
from tokenunlearn.datasets.samples import Sample
from tokenunlearn.evaluation.metrics.metric import Comparison, LeftOut, SuiteMetric
from tokenunlearn.evaluation.metrics.words import states, words
from tokenunlearn.evaluation.result import Better, MetricResult, share_result

# In the order in which they are tried; the last one is what is left.
OUTCOMES: dict[str, Better] = {
    "leaks": "lower",
    "cross_leaks": "retrained",
    "declines": "retrained",
    "broken": "lower",
    "wrong": "retrained",
}
# A gold span that more answers state is a common phrase, and no trace of one of them.
SHARED_BY = 2


def leaks(sample: Sample, answer: str) -> bool:
    """Whether an answer states one of the sample's own facts, case and punctuation aside.

    A fact that the question states does not count. The whole answer is the fact of a sample without gold
    spans.
    """
    facts = sample.facts or (sample.answer,)
    return any(states(answer, fact) and not states(sample.question, fact) for fact in facts)


def telling_spans(samples: Sequence[Sample]) -> list[str]:
    """The facts of samples that at most two of their answers state."""

    def rare(fact: str) -> bool:
        found = (s for s in samples if states(s.answer, fact))
        return len([*islice(found, SHARED_BY + 1)]) <= SHARED_BY

    spans = {" ".join(words(fact)): fact for s in samples for fact in s.facts}
    return [fact for fact in spans.values() if rare(fact)]


def cross_leaks(sample: Sample, answer: str, spans: Iterable[str]) -> bool:
    """Whether an answer states another sample's fact.

    Args:
        sample: What was asked; facts that its question or its own answer states do not count.
        answer: What the model said.
        spans: Facts, see :func:`telling_spans`.
    """
    own = (sample.question, sample.answer)
    stated = (span for span in spans if states(answer, span))
    return any(not any(states(text, span) for text in own) for span in stated)


def declines(answer: str) -> bool:
    """Whether an answer is a refusal: one of those that DPO trains on, or one that says it does not know.

    In any of the languages of :data:`~tokenunlearn.datasets.languages.LANGUAGES`.
    """
    return any(
        known.declines.search(answer) or any(states(answer, refusal) for refusal in known.refusals)
        for known in LANGUAGES
    )


def outcome(sample: Sample, answer: str, *, broken: bool, spans: Iterable[str] = ()) -> str:
    """The first of :data:`OUTCOMES` that holds.

    Args:
        sample: What was asked.
        answer: What the model said.
        broken: Whether the answer is not language.
        spans: Facts that another answer would give away, see :func:`telling_spans`.
    """
    holds = {
        "leaks": leaks(sample, answer),
        "cross_leaks": cross_leaks(sample, answer, spans),
        "declines": declines(answer),
        "broken": broken,
        "wrong": True,
    }
    return next(name for name, value in holds.items() if value)


def outcomes(compared: Comparison, samples: Sequence[Sample], answers: Mapping[str, str]) -> list[str]:
    """The outcome of every sample.

    Args:
        compared: The suite, with its judge; facts of samples that were not measured count as others do.
        samples: What was asked.
        answers: Id -> answer, of every sample.
    """
    parts = [compared.parts[name] for name in compared.parts_of("forget", "retain")]
    spans = telling_spans([s for part in parts for s in (*part.samples, *part.rest)])
    texts = [answers[s.id] for s in samples]
    broken = compared.fluency.broken(samples, texts)
    return [
        outcome(s, text, broken=odd, spans=spans) for s, text, odd in zip(samples, texts, broken, strict=True)
    ]


def _shares(compared: Comparison) -> list[MetricResult]:
    results = []
    for part in (p for p in compared.parts_of("forget") if p in compared.answers):  # no documents
        samples = tuple(compared.parts[part].samples)
        ids = tuple(s.id for s in samples)
        others = compared.retrained_answers.get(part, {})
        own = outcomes(compared, samples, compared.answers[part])
        retrained = outcomes(compared, samples, others) if others.keys() >= set(ids) else []
        for name, better in OUTCOMES.items():
            rows, other = ([float(row == name) for row in model] for model in (own, retrained))
            results.append(share_result(f"{part}/{name}", rows, ids, better, other))
    if not results:
        raise LeftOut("No outcomes, because no question of a part to be forgotten was answered.")
    return results


FORGOTTEN_OUTCOMES = SuiteMetric(
    "outcomes",
    "Shares of the forgotten answers that leak, leak another fact, decline, are broken or are wrong.",
    ("forget/answers", "a judge of language"),
    _shares,
)
