"""Samples that do not fit the model's context: refused all at once, left out, cut into pieces or cut off."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Literal, get_args

from tokenunlearn.datasets.samples import Sample, SampleSet
from tokenunlearn.errors import SampleTooLongError, TokenUnlearnError
from tokenunlearn.models.documents import piece_samples, pieces
from tokenunlearn.models.encoding import Encoding, encode
from tokenunlearn.models.templates import PLACEHOLDER

if TYPE_CHECKING:
    from tokenunlearn.models.loaded_model import LoadedModel

Long = Literal["error", "skip", "chunk", "truncate"]
# Ids that an error names.
NAMED = 5


def fit_context(model: LoadedModel, samples: SampleSet | Sequence[Sample], long: str = "error") -> SampleSet:
    """The samples as they fit the model's context; documents are cut into chunks in any case.

    Fitting what has been fitted changes nothing.

    Args:
        model: The model.
        samples: The samples.
        long: What becomes of a sample whose conversation exceeds the context: "error" refuses the set, "skip"
            leaves it out, "truncate" keeps the beginning of its answer, "chunk" makes a sample of each piece
            of its answer, with the same prompt.

    Raises:
        SampleTooLongError: If samples are too long and ``long`` is "error", or their prompts alone are and it
            is not "skip".
        TokenUnlearnError: If ``long`` is none of the four, or leaves no sample.
    """
    if long not in get_args(Long):
        raise TokenUnlearnError(f'long is "{long}"; it must be one of {", ".join(get_args(Long))}.')
    samples = model.chunk(samples)
    limit = model.context_length
    too_long = _too_long(model, samples)
    if limit is None or not too_long:
        return samples
    ids = [samples[i].id for i in too_long]
    if long == "error":
        exceed, longest = "exceed" + "s" * (len(ids) == 1), max(map(len, too_long.values()))
        raise SampleTooLongError(
            f"{len(ids):,} of {len(samples):,} samples {exceed} the model's context of {limit:,} tokens "
            f"(longest {longest:,}): {_named(ids)}; shorten them, or set long to skip, chunk or truncate."
        )
    parts = {i: [] if long == "skip" else _cut(model, samples[i], e, limit) for i, e in too_long.items()}
    hopeless = [samples[i].id for i, part in parts.items() if not part]
    if long != "skip" and hopeless:
        raise SampleTooLongError(
            f"The prompts of {len(hopeless)} of {len(samples):,} samples leave no room for an answer in the "
            f"model's context of {limit:,} tokens: {_named(hopeless)}; shorten them, or set long to skip."
        )
    if long == "truncate":
        parts = {i: [replace(part[0], id=samples[i].id)] for i, part in parts.items()}
    fitted = tuple(s for i, sample in enumerate(samples) for s in parts.get(i, [sample]))
    if not fitted:
        raise TokenUnlearnError(f"No sample fits the model's context of {limit:,} tokens.")
    return SampleSet(samples.name, fitted)


def fit_forms(model: LoadedModel, samples: SampleSet) -> SampleSet:
    """The samples without what exceeds the model's context in place of their questions and answers.

    A paraphrased question that is too long goes alone; of answers, the paraphrased one and the wrong ones are
    compared with each other and go together.

    Args:
        model: The model.
        samples: Samples that fit the context as they are.
    """

    def too_long(forms: Iterable[Sample]) -> set[str]:
        listed = list(forms)
        return {listed[i].id for i in _too_long(model, listed)}

    questions = too_long(replace(s, question=s.paraphrased_question) for s in samples)
    answers = too_long(
        replace(s, answer=answer) for s in samples for answer in (s.paraphrased_answer, *s.perturbed_answer)
    )
    if not questions | answers:
        return samples
    fitted = (replace(s, paraphrased_question="") if s.id in questions else s for s in samples)
    return SampleSet(samples.name, tuple(_without_answers(s) if s.id in answers else s for s in fitted))


def _without_answers(sample: Sample) -> Sample:
    return replace(sample, paraphrased_answer="", paraphrased_span=(), perturbed_answer=())


def _named(ids: Sequence[str]) -> str:
    return ", ".join(ids[:NAMED]) + (", ..." if len(ids) > NAMED else "")


def _encoding(model: LoadedModel, sample: Sample) -> Encoding:
    """A sample at its whole length."""
    return encode(model.chat, sample.id, sample.question, sample.answer, history=sample.history)


def _too_long(model: LoadedModel, samples: Sequence[Sample]) -> Mapping[int, Encoding]:
    """Whole encodings of the samples that exceed the model's context, by index.

    A text has at most as many tokens as bytes, so most samples need not be encoded to be known to fit.
    """
    limit = model.context_length
    if limit is None:
        return {}
    frame = len(encode(model.chat, "", PLACEHOLDER, PLACEHOLDER))
    encodings = {
        i: _encoding(model, sample)
        for i, sample in enumerate(samples)
        if not sample.document and sum(frame + len(turn.content.encode()) for turn in sample.turns) > limit
    }
    return {i: encoding for i, encoding in encodings.items() if len(encoding) > limit}


def _cut(model: LoadedModel, sample: Sample, encoding: Encoding, limit: int) -> list[Sample]:
    """Samples of the answer's pieces that fit with the prompt; none where the prompt leaves no room."""
    answer_tokens = sum(start < end for start, end in encoding.answer_offsets)
    room = limit - (len(encoding) - answer_tokens)
    while room > 0:
        cut = piece_samples(sample, list(pieces(model.tokenizer, sample.answer, room)))
        excess = max(len(_encoding(model, piece)) for piece in cut) - limit
        if excess <= 0:  # a piece may have other tokens than it had within the whole answer
            return cut
        room -= excess
    return []
