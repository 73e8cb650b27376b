"""How a model reads a sample: prompt and response tokens with their places in the text; padded batches."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from tokenunlearn.datasets.samples import Span, overlaps
from tokenunlearn.errors import SampleTooLongError, TokenUnlearnError

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PreTrainedTokenizerBase

_PLACEHOLDER = "TokenUnlearn"


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
        return len(self.input_ids)

    @property
    def response_length(self) -> int:
        """Number of response tokens T, end of turn included."""
        return len(self.input_ids) - self.prompt_length

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
            raise IndexError(f"Position {position} holds none of the question.")
        return offset


def render_prompt(tokenizer: PreTrainedTokenizerBase, question: str, system_prompt: str | None = None) -> str:
    r"""The prompt text x up to where the response begins.

    Uses the tokenizer's chat template where it has one, else "Question: ...\\nAnswer:".
    """
    if not tokenizer.chat_template:
        return f"Question: {question}\nAnswer:"
    messages = [{"role": "user", "content": question}]
    if system_prompt is not None:
        messages.insert(0, {"role": "system", "content": system_prompt})
    return str(tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True))


def end_of_turn_id(tokenizer: PreTrainedTokenizerBase, system_prompt: str | None = None) -> int:
    """Id of the token that closes the assistant's turn: what the chat template writes after an answer.

    Raises:
        TokenUnlearnError: If the tokenizer has neither a chat template nor an end-of-sequence token.
    """
    if tokenizer.chat_template:
        answer = "tokenunlearn"
        prompt = render_prompt(tokenizer, "?", system_prompt)
        messages = [{"role": "user", "content": "?"}, {"role": "assistant", "content": answer}]
        if system_prompt is not None:
            messages.insert(0, {"role": "system", "content": system_prompt})
        whole = str(tokenizer.apply_chat_template(messages, tokenize=False))
        if whole.startswith(prompt + answer):
            closing = tokenizer(whole[len(prompt + answer) :], add_special_tokens=False)["input_ids"]
            if closing and closing[0] in set(tokenizer.all_special_ids) | set(tokenizer.added_tokens_decoder):
                return int(closing[0])
    if tokenizer.eos_token_id is None:
        raise TokenUnlearnError("The tokenizer has no end-of-sequence token; responses could never end.")
    return int(tokenizer.eos_token_id)


def encode_prompt(
    tokenizer: PreTrainedTokenizerBase, question: str, system_prompt: str | None = None
) -> tuple[str, list[int], list[Span]]:
    """The prompt x as text, its token ids, and each token's character range in that text."""
    prompt = render_prompt(tokenizer, question, system_prompt)
    templated = bool(tokenizer.chat_template)
    head = tokenizer(prompt, add_special_tokens=not templated, return_offsets_mapping=True)
    ids, offsets = list(head["input_ids"]), list(head["offset_mapping"])
    if not templated and ids and ids[-1] == tokenizer.eos_token_id:
        return prompt, ids[:-1], offsets[:-1]
    return prompt, ids, offsets


def encode(
    tokenizer: PreTrainedTokenizerBase,
    sample_id: str,
    question: str,
    answer: str,
    *,
    system_prompt: str | None = None,
    max_length: int | None = None,
) -> Encoding:
    """Encode a question and an answer into prompt and response tokens with character offsets.

    Prompt and response are tokenised apart, exactly as at generation time, so the response mask is exact: no
    token holds characters of both.

    Raises:
        SampleTooLongError: If prompt and response together exceed ``max_length`` tokens.
    """
    prompt, prompt_ids, prompt_offsets = encode_prompt(tokenizer, question, system_prompt)

    lead = "" if tokenizer.chat_template else " "
    tail = tokenizer(lead + answer, add_special_tokens=False, return_offsets_mapping=True)
    response_ids = [*tail["input_ids"], end_of_turn_id(tokenizer, system_prompt)]
    gap = len(lead)
    answer_offsets = [(max(s - gap, 0), max(e - gap, 0)) for s, e in tail["offset_mapping"]]
    answer_offsets.append((len(answer), len(answer)))

    length = len(prompt_ids) + len(response_ids)
    if max_length is not None and length > max_length:
        raise SampleTooLongError(
            f"Sample {sample_id} has {length:,} tokens but the model's context holds {max_length:,}; "
            "shorten its question or answer."
        )

    begin, end, shift = _question_place(tokenizer, prompt, question, system_prompt)
    question_offsets = [
        (max(s, begin) - shift, min(e, end) - shift) if overlaps((s, e), [(begin, end)]) else None
        for s, e in prompt_offsets
    ]

    texts = token_texts(tokenizer, prompt, prompt_ids, prompt_offsets)
    texts += token_texts(tokenizer, lead + answer, tail["input_ids"], tail["offset_mapping"])
    texts.append(str(tokenizer.decode([response_ids[-1]])))
    return Encoding(
        sample_id=sample_id,
        question=question,
        answer=answer,
        input_ids=tuple(prompt_ids + response_ids),
        prompt_length=len(prompt_ids),
        texts=tuple(texts),
        question_offsets=tuple(question_offsets),
        answer_offsets=tuple(answer_offsets),
    )


def _question_place(
    tokenizer: PreTrainedTokenizerBase, prompt: str, question: str, system_prompt: str | None
) -> tuple[int, int, int]:
    """Where the question begins and ends in the prompt, and by how many characters it is moved there.

    Searched behind what the template writes before any question, so that the template's own words ("user")
    are never taken for it. Where the template strips blanks, the rest of the question.
    """
    before = render_prompt(tokenizer, _PLACEHOLDER, system_prompt).find(_PLACEHOLDER)
    if prompt.startswith(question, before):
        return before, before + len(question), before
    content = question.strip()
    found = prompt.find(content, max(before, 0))
    if not content or found < 0:
        return 0, 0, 0
    return found, found + len(content), found - question.find(content)


def token_texts(
    tokenizer: PreTrainedTokenizerBase, text: str, ids: Sequence[int], offsets: Sequence[Span]
) -> list[str]:
    """Each token's own text; where neighbours share a character, the tokenizer's own reading of its bytes."""
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
        ids = torch.tensor(e.input_ids)
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
