"""How a model reads a sample: prompt and response tokens with their places in the text; padded batches."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, ClassVar

from tokenunlearn.datasets.samples import Span, Turn, overlaps
from tokenunlearn.errors import SampleTooLongError, TokenUnlearnError
from tokenunlearn.models.templates import PLACEHOLDER, ChatFormat, Conversation

if TYPE_CHECKING:
    from tokenizers import Tokenizer
    from torch import Tensor
    from transformers import PreTrainedTokenizerBase

# Characters before an answer that decide whether a blank is joined with it.
TAIL = 32
_BRACKETED = re.compile(r"<.+>|\[.+\]", re.DOTALL).fullmatch


@dataclass(frozen=True)
class Encoding:
    r"""A sample as one model reads it: prompt tokens, then response tokens, the last being the end of turn.

    Attributes:
        sample_id: The sample's id.
        question: Its question.
        answer: Its answer.
        input_ids: Token ids of prompt and response, length L.
        prompt_length: Number of prompt tokens; positions from here on are the response, T = L -
            prompt_length.
        texts: Each token's own text, length L. Tokens that hold part of a character show it as "\\ufffd".
        question_offsets: For each prompt token its character range in the question, or None for template
            tokens.
        answer_offsets: For each response token its character range in the answer; empty for the end of turn.
        document: Whether the response is a document: no question before it, no end of turn behind it.

    ``input_ids`` and ``texts`` hold all that the template writes. What comes after the end of turn is never
    read: ``len()`` counts up to there.
    """

    sample_id: str
    question: str
    answer: str
    input_ids: tuple[int, ...]
    prompt_length: int
    texts: tuple[str, ...]
    question_offsets: tuple[Span | None, ...]
    answer_offsets: tuple[Span, ...]
    document: bool = False

    @classmethod
    def of_ids(cls, sample_id: str, prompt: Sequence[int], response: Sequence[int]) -> Encoding:
        """An encoding of token ids alone: it holds no text, so none reaches a page or a log."""
        size = len(prompt) + len(response)
        no_text, of_prompt, of_response = ("",) * size, (None,) * len(prompt), ((0, 0),) * len(response)
        return cls(sample_id, "", "", (*prompt, *response), len(prompt), no_text, of_prompt, of_response)

    def __len__(self) -> int:
        return self.prompt_length + self.response_length

    @property
    def response_length(self) -> int:
        """Number of response tokens T, end of turn included."""
        return len(self.answer_offsets)

    @property
    def response_ids(self) -> tuple[int, ...]:
        """Ids of the response tokens."""
        return self.input_ids[self.prompt_length : len(self)]

    @property
    def response_texts(self) -> tuple[str, ...]:
        """Texts of the response tokens."""
        return self.texts[self.prompt_length : len(self)]

    def holds(self, spans: Sequence[Span]) -> list[bool]:
        """(T,) whether each response token holds a character of one of the spans of the answer.

        Of gold spans these are the gold tokens; the end of turn never is one.
        """
        return [overlaps(offset, spans) for offset in self.answer_offsets]

    @property
    def ended(self) -> bool:
        """Whether the last response token is an end of turn, and so holds none of the answer."""
        start, end = self.answer_offsets[-1]
        return not self.document and start == end == len(self.answer)

    @property
    def content_positions(self) -> tuple[int, ...]:
        """Positions that masking hides: prompt tokens that carry the question, never the template's own.

        In a document every token but the last, for what comes before a token is all that can matter to it.
        """
        if self.document:
            return tuple(range(self.prompt_length, len(self) - 1))
        return tuple(i for i, offset in enumerate(self.question_offsets) if offset is not None)

    @property
    def content(self) -> str:
        """The text behind the content positions: the question, or the document itself."""
        return self.answer if self.document else self.question

    def content_offset(self, position: int) -> Span:
        """Character range of a content position in the content."""
        if self.document:
            return self.answer_offsets[position - self.prompt_length]
        offset = self.question_offsets[position]
        if offset is None:
            raise IndexError(f"Position {position} is not part of the question.")
        return offset


def encode(
    chat: ChatFormat,
    sample_id: str,
    question: str,
    answer: str,
    *,
    history: Sequence[Turn] = (),
    max_length: int | None = None,
) -> Encoding:
    """A question and an answer as the tokens that the chat template writes for the whole conversation.

    Earlier turns are part of the prompt; a system turn at their beginning takes the place of the chat
    format's own.

    The response begins with the first token that holds some of the answer, or of a blank that the template
    puts before every answer and the tokenizer joins with it; it ends with the end of turn. Text that looks
    like a control token stays text.

    Raises:
        SampleTooLongError: If prompt and response together exceed ``max_length`` tokens.
        TemplateError: If the template fails, or changes a message.
    """
    conversation = chat.conversation([*history, Turn("user", question), Turn("assistant", answer)])
    *_, asked, said = conversation.places
    text = conversation.text
    ids, offsets = _tokens(chat, conversation)
    begin = said.start - _joined_blank(chat.tokenizer, text[max(0, said.start - TAIL) : said.start])
    first = next((i for i, (s, e) in enumerate(offsets) if e > begin and s < said.end), len(ids))
    last = max((i for i, (s, e) in enumerate(offsets) if s < said.end and e > begin), default=first - 1)
    end = _end_of_turn(chat, ids, offsets, text, last + 1)
    if end is None and not chat.templated:
        ids, offsets, end = [*ids, end_of_turn_id(chat)], [*offsets, (len(text), len(text))], len(ids)
    stop = last + 1 if end is None else end + 1
    if max_length is not None and stop > max_length:
        raise SampleTooLongError(
            f"Sample {sample_id} has {stop:,} tokens but the model's context holds {max_length:,}; "
            "shorten its question or answer."
        )
    texts = token_texts(chat.tokenizer, text, ids, offsets)
    return Encoding(
        sample_id=sample_id,
        question=question,
        answer=answer,
        input_ids=tuple(ids),
        prompt_length=first,
        texts=tuple(texts),
        question_offsets=tuple(
            asked.within((s, e)) if overlaps((s, e), [(asked.start, asked.end)]) else None
            for s, e in offsets[:first]
        ),
        answer_offsets=tuple(
            said.within((s, e)) if s < said.end else (len(answer), len(answer))
            for s, e in offsets[first:stop]
        ),
    )


def prompt_ids(chat: ChatFormat, question: str, prefix: str = "", history: Sequence[Turn] = ()) -> list[int]:
    """Token ids up to where the answer begins, or goes on after ``prefix``: a sample's prompt exactly."""
    encoding = encode(chat, "", question, prefix or PLACEHOLDER, history=history)
    if not prefix:
        return list(encoding.input_ids[: encoding.prompt_length])
    said = sum(start < len(prefix) for start, _ in encoding.answer_offsets)
    return list(encoding.input_ids[: encoding.prompt_length + said])


def end_of_turn_id(chat: ChatFormat) -> int:
    """Id of the token that closes the assistant's turn, or else the tokenizer's end of sequence.

    Raises:
        TokenUnlearnError: If there is neither.
    """
    if chat.templated:
        encoding = encode(chat, "", "?", PLACEHOLDER)
        if encoding.ended:
            return encoding.response_ids[-1]
    if chat.tokenizer.eos_token_id is None:
        raise TokenUnlearnError("The tokenizer has no end-of-sequence token, so responses could never end.")
    return int(chat.tokenizer.eos_token_id)


def _end_of_turn(
    chat: ChatFormat, ids: Sequence[int], offsets: Sequence[Span], text: str, place: int
) -> int | None:
    """Index of the control token that follows the answer, with nothing but blanks before it."""
    control = _control_ids(chat.tokenizer)
    for index in range(place, len(ids)):
        if ids[index] in control:
            return index
        if text[slice(*offsets[index])].strip():
            return None
    return None


@lru_cache(maxsize=16)
def _control_ids(tokenizer: PreTrainedTokenizerBase) -> frozenset[int]:
    return frozenset({*tokenizer.all_special_ids, *tokenizer.added_tokens_decoder})


@lru_cache(maxsize=256)
def _joined_blank(tokenizer: PreTrainedTokenizerBase, before: str) -> int:
    """How many characters before an answer the tokenizer joins with its first word."""
    offsets = tokenizer(before + PLACEHOLDER, add_special_tokens=False, return_offsets_mapping=True)
    return next((max(0, len(before) - s) for s, e in offsets["offset_mapping"] if e > len(before)), 0)


def _tokens(chat: ChatFormat, conversation: Conversation) -> tuple[list[int], list[Span]]:
    """Token ids of a written conversation and their character ranges, control tokens only the template's."""
    text, tokenizer = conversation.text, chat.tokenizer
    ids: list[int] = []
    offsets: list[Span] = []
    for start, end, plain in _stretches(tokenizer, conversation):
        special = not plain and not chat.templated and start == 0
        own, places = tokens_of(tokenizer, text[start:end], plain=plain, add_special_tokens=special)
        if special and own[-1:] == [tokenizer.eos_token_id]:  # some tokenizers end what they begin
            own, places = own[:-1], places[:-1]
        ids += own
        offsets += [(start + s, start + e) for s, e in places]
    return ids, offsets


def _stretches(
    tokenizer: PreTrainedTokenizerBase, conversation: Conversation
) -> Iterator[tuple[int, int, bool]]:
    """Ranges of the text, and whether each is plain text: messages that hold a control token's text are."""
    begin = 0
    for place in sorted(conversation.places, key=lambda place: place.start):
        if holds_control_text(tokenizer, conversation.text[place.start : place.end]):
            yield begin, place.start, False
            yield place.start, place.end, True
            begin = place.end
    yield begin, len(conversation.text), False


def tokens_of(
    tokenizer: PreTrainedTokenizerBase, text: str, *, plain: bool, add_special_tokens: bool = False
) -> tuple[list[int], list[Span]]:
    """Token ids of a text and their character ranges; in plain text nothing is a control token."""
    if plain:
        encoded = _plain_tokenizer(tokenizer).encode(text, add_special_tokens=add_special_tokens)
        return encoded.ids, encoded.offsets
    tokenized = tokenizer(text, add_special_tokens=add_special_tokens, return_offsets_mapping=True)
    return list(tokenized["input_ids"]), list(tokenized["offset_mapping"])


@lru_cache(maxsize=4)
def _plain_tokenizer(tokenizer: PreTrainedTokenizerBase) -> Tokenizer:
    """A copy that reads control tokens as text; it can do so for special tokens alone, so all of them are."""
    plain = copy.deepcopy(tokenizer.backend_tokenizer)
    plain.add_special_tokens(sorted(_control_texts(tokenizer)))
    plain.encode_special_tokens = True
    plain.no_truncation()
    plain.no_padding()
    return plain


@lru_cache(maxsize=16)
def _control_texts(tokenizer: PreTrainedTokenizerBase) -> frozenset[str]:
    """Texts of the special tokens, and of others in brackets, such as "<think>"; added words are none."""
    added = tokenizer.added_tokens_decoder.values()
    return frozenset(t.content for t in added if t.content.strip() and (t.special or _BRACKETED(t.content)))


def holds_control_text(tokenizer: PreTrainedTokenizerBase, text: str) -> bool:
    """Whether a text holds what the tokenizer would read as a control token."""
    return any(control in text for control in _control_texts(tokenizer))


def token_texts(
    tokenizer: PreTrainedTokenizerBase, text: str, ids: Sequence[int], offsets: Sequence[Span]
) -> list[str]:
    """Each token's own text; where neighbors share a character, the tokenizer's own reading of its bytes."""
    texts = []
    for i, (token_id, (start, end)) in enumerate(zip(ids, offsets, strict=True)):
        shared = any(overlaps((start, end), [offsets[j]]) for j in (i - 1, i + 1) if 0 <= j < len(offsets))
        texts.append(text[start:end] if start < end and not shared else str(tokenizer.decode([token_id])))
    return texts


@dataclass
class Batch:
    """Right-padded encodings. B samples, L positions, T response positions.

    Attributes:
        input_ids: (B, L).
        attention_mask: (B, L), 0 on padding.
        predictors: (B, T) positions whose output predicts each response token (one before it).
        labels: (B, T) response token ids, 0 on padding.
        mask: (B, T) response mask, False on padding.
    """

    input_ids: Tensor
    attention_mask: Tensor
    predictors: Tensor
    labels: Tensor
    mask: Tensor

    FIELDS: ClassVar = ("input_ids", "attention_mask", "predictors", "labels", "mask")


def collate(encodings: Sequence[Encoding], pad_id: int, device: str | object = "cpu") -> Batch:
    """Pad encodings on the right and index their response positions."""
    import torch

    size = max(len(e) for e in encodings)
    time = max(e.response_length for e in encodings)
    input_ids = torch.full((len(encodings), size), pad_id)
    attention_mask = torch.zeros((len(encodings), size), dtype=torch.long)
    predictors = torch.zeros((len(encodings), time), dtype=torch.long)
    labels = torch.zeros((len(encodings), time), dtype=torch.long)
    mask = torch.zeros((len(encodings), time), dtype=torch.bool)
    for row, e in enumerate(encodings):
        ids = torch.tensor(e.input_ids[: len(e)])
        input_ids[row, : len(e)] = ids
        attention_mask[row, : len(e)] = 1
        predictors[row, : e.response_length] = torch.arange(e.prompt_length - 1, len(e) - 1)
        labels[row, : e.response_length] = ids[e.prompt_length :]
        mask[row, : e.response_length] = True
    tensors = (t.to(device) for t in (input_ids, attention_mask, predictors, labels, mask))  # type: ignore[arg-type]
    return Batch(*tensors)


def batches_by_length(lengths: Sequence[int], token_budget: int) -> Iterator[list[int]]:
    """Indices grouped by similar length, such that rows x longest stays within the budget.

    Every index appears exactly once; a row longer than the budget travels alone.
    """
    group: list[int] = []
    for index in sorted(range(len(lengths)), key=lambda i: lengths[i], reverse=True):
        if group and (len(group) + 1) * lengths[group[0]] > token_budget:
            yield group
            group = []
        group.append(index)
    if group:
        yield group
