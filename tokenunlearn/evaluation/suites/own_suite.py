"""The suite of a user's own samples, with wrong answers made from the set where its rows have none."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from tokenunlearn.datasets import load_samples
from tokenunlearn.datasets.files import samples_hash
from tokenunlearn.datasets.samples import Sample, SampleSet, Span
from tokenunlearn.errors import TokenUnlearnError
from tokenunlearn.evaluation.measurement import Part
from tokenunlearn.models.recipe import find_recipe

OWN = "own"
WRONG_ANSWERS = 5  # as many as in TOFU
MADE_FROM = {
    "spans": "the gold spans of other samples of the set in place of the sample's own",
    "answers": "the answers of other samples of the set, because there are no gold spans to exchange",
}


def own_parts(forget: str, retain: str, limit: int | None) -> dict[str, Part]:
    """The forget set and the retained samples under their names, "file:my.jsonl"; the latter may be "".

    Raises:
        TokenUnlearnError: If no forget set is named.
    """
    if not forget:
        raise TokenUnlearnError('The suite "own" needs a forget set by its name, e.g. file:my.jsonl.')
    named = {"forget": forget, "retain": retain}
    return {role: own_part(load_samples(name), role, limit) for role, name in named.items() if name}


def own_part(samples: SampleSet, role: str, limit: int | None) -> Part:
    """A set as a part of the suite; the notes say which wrong answers are an approximation."""
    rows, sources = [], []
    facts, answers = (_distinct(texts) for texts in (_facts(samples), (s.answer for s in samples)))
    for sample in samples.spread(limit):
        if not sample.perturbed_answer and not sample.document:
            source = "spans" if sample.span and _without(facts, sample.facts) else "answers"
            sample = from_spans(sample, facts) if source == "spans" else from_answers(sample, answers)
            sources += [source] if sample.perturbed_answer else []
        rows.append(sample)
    notes = tuple(
        f"the perturbed answers of {sources.count(source)} of {len(rows)} samples are an approximation: "
        f"{text}. The truth ratio rests on them, and what is computed from it."
        for source, text in MADE_FROM.items()
        if source in sources
    )
    rest = Part.of(samples, role, limit).rest
    return Part(SampleSet(samples.name, tuple(rows)), role, notes, samples_hash(samples), rest)


def from_spans(sample: Sample, facts: Iterable[str]) -> Sample:
    """The sample with perturbed answers in which other facts stand in place of its gold spans.

    The paraphrased answer is changed where its spans are marked, else the answer; the one that is changed is
    the right answer that they are compared with. Facts of the closest form are taken first.
    """
    marked = bool(sample.paraphrased_answer and sample.paraphrased_span)
    text = sample.paraphrased_answer if marked else sample.answer
    spans = _disjoint(sample.paraphrased_span if marked else sample.span)
    own = [text[start:end] for start, end in spans]
    others = _without(facts, [*own, *sample.facts])
    columns = [_closest(fact, others) for fact in own]
    wrong = tuple(_with_spans(text, spans, texts) for texts in zip(*columns, strict=True))
    return replace(sample, perturbed_answer=wrong, paraphrased_answer=text if marked else "")


def from_answers(sample: Sample, answers: Iterable[str]) -> Sample:
    """The sample with other samples' answers as perturbed answers, those of the closest form first."""
    wrong = tuple(_closest(sample.answer, _without(answers, [sample.answer])))
    return replace(sample, perturbed_answer=wrong, paraphrased_answer="")


def remarks(parts: Mapping[str, Part], retrained: str | Path | None) -> list[str]:
    """What the suite leaves out of a report, and why.

    Raises:
        TokenUnlearnError: If the recipe of the retrained model says that it was trained on the forget set.
    """
    notes = [
        f"{name}: no gold-span accuracy, because its samples have no gold spans."
        for name, part in parts.items()
        if not any(sample.span for sample in part.samples)
    ]
    notes.append("No membership inference, because there are no samples that no model has seen.")
    if retrained is None:
        notes.append(
            "No forget quality, because there is no retrained model to compare with; train one with: "
            "python -m tokenunlearn retrain."
        )
        return notes
    recipe = find_recipe(retrained)
    if recipe and recipe.trained_on("forget", parts["forget"].sha256):
        raise TokenUnlearnError(
            f'The model "{retrained}" was trained on the forget set, so it is not a retrained model.'
        )
    if recipe and "retain" in parts and not recipe.trained_on("retain", parts["retain"].sha256):
        notes.append(f'The retrained model "{retrained}" was trained on other samples than the retain set.')
    return notes


def _facts(samples: Iterable[Sample]) -> Iterable[str]:
    return (fact for sample in samples for fact in sample.facts)


def _distinct(texts: Iterable[str]) -> list[str]:
    """Texts that differ in more than case, in order."""
    return list({text.casefold(): text for text in reversed(list(texts))}.values())[::-1]


def _without(texts: Iterable[str], own: Iterable[str]) -> list[str]:
    excluded = {text.casefold() for text in own}
    return [text for text in texts if text.casefold() not in excluded]


def _closest(text: str, others: list[str]) -> list[str]:
    """The texts most like one in digits, capital, number of words and length; ties keep their order."""

    def form(text: str) -> tuple[bool, bool, int, int]:
        return any(map(str.isdigit, text)), text[:1].isupper(), len(text.split()), len(text)

    own = form(text)
    return heapq.nsmallest(
        WRONG_ANSWERS, others, key=lambda other: [abs(a - b) for a, b in zip(own, form(other), strict=True)]
    )


def _disjoint(spans: Iterable[Span]) -> tuple[Span, ...]:
    """The spans in order, without those that overlap one before."""
    apart: list[Span] = []
    for span in sorted(spans):
        if not apart or span[0] >= apart[-1][1]:
            apart.append(span)
    return tuple(apart)


def _with_spans(text: str, spans: tuple[Span, ...], texts: Iterable[str]) -> str:
    """A text with others in place of its spans, which are in order and apart."""
    ends = [0, *(end for _, end in spans)]
    pieces = [text[end:start] + other for end, (start, _), other in zip(ends, spans, texts, strict=False)]
    return "".join(pieces) + text[ends[-1] :]
