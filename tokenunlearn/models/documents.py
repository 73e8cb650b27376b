"""Documents: texts without a question, cut into chunks of a token length; every token is a response token."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from tokenunlearn.datasets.samples import Sample, SampleSet, Span
from tokenunlearn.errors import SampleTooLongError, TokenUnlearnError
from tokenunlearn.models.encoding import Encoding, holds_control_text, token_texts, tokens_of

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


def encode_document(
    tokenizer: PreTrainedTokenizerBase, sample_id: str, text: str, *, max_length: int | None = None
) -> Encoding:
    """Encode a text as one response without a question.

    The prompt is one token, from which the first token of the text is predicted: the beginning of text where
    the tokenizer has one, else its end of sequence, which stands between documents. No chat template, no end
    of turn. Text that looks like a control token stays text.

    Raises:
        SampleTooLongError: If the text and the first token exceed ``max_length`` tokens.
        TokenUnlearnError: If the tokenizer has neither of the two tokens.
    """
    first = tokenizer.bos_token_id if tokenizer.bos_token_id is not None else tokenizer.eos_token_id
    if first is None:
        raise TokenUnlearnError("The tokenizer has no beginning-of-text or end-of-text token.")
    ids, offsets = _tokens(tokenizer, text)
    length = len(ids) + 1
    if max_length is not None and length > max_length:
        raise SampleTooLongError(
            f"Document {sample_id} has {length:,} tokens but the model's context holds {max_length:,}; "
            "cut it into chunks."
        )
    return Encoding(
        sample_id=sample_id,
        question="",
        answer=text,
        input_ids=(first, *ids),
        prompt_length=1,
        texts=(str(tokenizer.decode([first])), *token_texts(tokenizer, text, ids, offsets)),
        question_offsets=(None,),
        answer_offsets=tuple(offsets),
        document=True,
    )


def chunk_documents(
    tokenizer: PreTrainedTokenizerBase,
    samples: SampleSet | Sequence[Sample],
    *,
    max_length: int | None = None,
) -> SampleSet:
    """Cut each document into chunks of at most its ``chunk_tokens`` tokens; other samples stay as they are.

    The chunks of a document, one after the other, are its text. A chunk ends between words wherever the
    second half of its room holds the end of a word. A document that fits stays itself, so cutting twice
    changes nothing. A chunk keeps the parts of the gold spans that lie in it.

    Args:
        tokenizer: Counts the tokens.
        samples: The samples.
        max_length: The model's context; a chunk and its first token never exceed it.
    """
    chunked: list[Sample] = []
    for sample in samples:
        if sample.chunk_tokens is None:
            chunked.append(sample)
            continue
        room = sample.chunk_tokens if max_length is None else min(sample.chunk_tokens, max_length - 1)
        texts = list(pieces(tokenizer, sample.answer, room))
        chunked += [sample] if len(texts) == 1 else piece_samples(sample, texts)
    return SampleSet(samples.name if isinstance(samples, SampleSet) else "samples", tuple(chunked))


def piece_samples(sample: Sample, texts: Sequence[str]) -> list[Sample]:
    """A sample for each piece of an answer, with the parts of the gold spans that lie in it."""
    encodings = []
    start = 0
    for number, text in enumerate(texts):
        end = start + len(text)
        inside = [(max(a, start) - start, min(b, end) - start) for a, b in sample.span]
        encodings.append(
            replace(
                sample,
                id=f"{sample.id}-{number:03d}",
                answer=text,
                span=tuple((a, b) for a, b in inside if a < b),
                paraphrased_answer="",
                perturbed_answer=(),
                paraphrased_span=(),
            )
        )
        start = end
    return encodings


def _tokens(tokenizer: PreTrainedTokenizerBase, text: str) -> tuple[list[int], list[Span]]:
    return tokens_of(tokenizer, text, plain=holds_control_text(tokenizer, text))


def pieces(tokenizer: PreTrainedTokenizerBase, text: str, room: int) -> Iterator[str]:
    """A text in pieces of at most ``room`` tokens each, by their own tokenization."""
    if room < 1:
        raise TokenUnlearnError(f"A chunk must have at least 1 token, not {room}.")
    _, offsets = _tokens(tokenizer, text)
    if len(offsets) <= room or len(text) == 1:
        yield text
        return
    first = start = 0
    while first < len(offsets):
        last = _cut(text, offsets, first, room)
        end = offsets[last][0] if last < len(offsets) else len(text)
        # A piece may have other tokens than it had within the whole text.
        yield from pieces(tokenizer, text[start:end], room)
        first, start = last, end


def _cut(text: str, offsets: Sequence[Span], first: int, room: int) -> int:
    """The token before which a piece ends that begins with token ``first``."""
    last = first + room
    if last >= len(offsets):
        return len(offsets)

    def whole_character(i: int) -> bool:
        return offsets[i][0] > offsets[first][0] and offsets[i][0] >= offsets[i - 1][1]

    for i in range(last, first + room // 2, -1):
        place = offsets[i][0]
        if whole_character(i) and (text[place].isspace() or text[place - 1].isspace()):
            return i
    places = [*range(last, first, -1), *range(last + 1, len(offsets))]
    return next((i for i in places if whole_character(i)), len(offsets))
