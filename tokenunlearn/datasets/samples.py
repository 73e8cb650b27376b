"""Samples: conversations that end in an answer, or documents; sets of them, and the words of their texts."""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from numbers import Integral
from typing import TypeVar

from tokenunlearn.errors import DatasetError

Span = tuple[int, int]
Item = TypeVar("Item")

# Most tokens of one chunk of a document.
CHUNK_TOKENS = 128

# One word: a run of word characters, a run of katakana, or a single character of another script written
# without blanks, as in the word boundaries of Unicode (UAX 29).
_KATAKANA = "\u30a1-\u30fa\u30fc-\u30ff"
_UNSPACED = (
    f"\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u309f{_KATAKANA}\u3400-\u4dbf\u4e00-\u9fff"
    "\uf900-\ufaff\U00020000-\U0003ffff"
)
_MARK = "\u0301"  # stands for every accent, vowel sign and joiner, which belong to the letter before
_WORD = re.compile(
    rf"(?:[{_KATAKANA}]{_MARK}*)+|[{_UNSPACED}]{_MARK}*|[^\W{_UNSPACED}](?:[^\W{_UNSPACED}]|{_MARK})*"
)
ZERO_WIDTH_JOINER = "\u200d"
_JOINERS = f"\u200c{ZERO_WIDTH_JOINER}"


@dataclass(frozen=True)
class Turn:
    """One message of a conversation: its role ("system", "user", "assistant") and what it says."""

    role: str
    content: str


@dataclass(frozen=True)
class Sample:
    """One question and answer, with what evaluation needs to know about it.

    Attributes:
        id: Unique within its source, "authors-054-03" for example.
        question: What is asked; the chat template turns it into the prompt x.
        answer: What the model should say or forget; with the end-of-turn token it is the response y.
        span: Gold character ranges of the fact in ``answer``. Evaluation and display read it, and learned
            selectors and thresholds that *Fit* offers; scores and losses never do.
        paraphrased_question: The same question in other words, or "".
        paraphrased_answer: The same answer in other words, or "".
        perturbed_answer: Answers of the same form with a wrong fact.
        paraphrased_span: Gold character ranges of the fact in ``paraphrased_answer``.
        chunk_tokens: For a document, the most tokens of one chunk; None for an answer. A document has no
            question; its text is ``answer``, and every token of it is a response token.
        history: Turns before the question, the system turn included.
    """

    id: str
    question: str
    answer: str
    span: tuple[Span, ...] = ()
    paraphrased_question: str = ""
    paraphrased_answer: str = ""
    perturbed_answer: tuple[str, ...] = ()
    paraphrased_span: tuple[Span, ...] = ()
    chunk_tokens: int | None = None
    history: tuple[Turn, ...] = ()

    def __post_init__(self) -> None:
        """Turn lists into tuples; refuse other types, which would be read as something else.

        Raises:
            DatasetError: If there is one.
        """
        for name in ("span", "paraphrased_span", "perturbed_answer", "history"):
            object.__setattr__(self, name, _as_tuple(getattr(self, name)))
        for name in ("span", "paraphrased_span"):
            if isinstance(spans := getattr(self, name), tuple):
                object.__setattr__(self, name, tuple(map(_as_tuple, spans)))
        texts = (self.id, self.question, self.answer, self.paraphrased_question, self.paraphrased_answer)
        if not all(isinstance(text, str) for text in texts):
            raise DatasetError(
                "The id, questions and answers of a sample must be text, not "
                f"{next(type(text).__name__ for text in texts if not isinstance(text, str))}."
            )
        for name, items, kind in (
            ("perturbed_answer", self.perturbed_answer, str),
            ("history", self.history, Turn),
        ):
            if not _holds(items, kind):
                raise DatasetError(
                    f'The sample "{self.id}" has a {name} that is not a tuple of {kind.__name__}.'
                )
        for name, spans in (("span", self.span), ("paraphrased_span", self.paraphrased_span)):
            if not (_holds(spans, tuple) and all(map(_is_range, spans))):
                raise DatasetError(
                    f'The sample "{self.id}" has a {name} that is not a tuple of (start, end) ranges.'
                )

    @property
    def document(self) -> bool:
        """Whether this is a text without a question."""
        return self.chunk_tokens is not None

    @property
    def turns(self) -> tuple[Turn, ...]:
        """The whole conversation: history, question and answer."""
        return (*self.history, Turn("user", self.question), Turn("assistant", self.answer))

    @property
    def folded(self) -> tuple[str, ...]:
        """The texts of all turns without case and spacing: equal for samples that ask and answer alike."""
        return tuple(" ".join(turn.content.casefold().split()) for turn in self.turns)

    @property
    def facts(self) -> tuple[str, ...]:
        """The texts of the gold spans."""
        return tuple(self.answer[start:end] for start, end in self.span)


def _as_tuple(items: object) -> object:
    return tuple(items) if isinstance(items, list) else items


def _holds(items: object, kind: type) -> bool:
    return isinstance(items, tuple) and all(isinstance(item, kind) for item in items)


def _is_range(span: tuple[object, ...]) -> bool:
    match span:
        case (Integral() as start, Integral() as end):
            return 0 <= int(start) < int(end)
    return False


def document(sample_id: str, text: str, span: tuple[Span, ...] = ()) -> Sample:
    """A text as a sample without a question."""
    return Sample(sample_id, "", text, span=span, chunk_tokens=CHUNK_TOKENS)


@dataclass(frozen=True)
class SampleSet(Sequence[Sample]):
    """Samples in order, under the name that loads them again ("authors:forget10")."""

    name: str
    samples: tuple[Sample, ...]

    def __post_init__(self) -> None:
        """Turn a list into a tuple; refuse anything but samples.

        Raises:
            DatasetError: If something else is among them.
        """
        object.__setattr__(self, "samples", _as_tuple(self.samples))
        if not _holds(self.samples, Sample):
            raise DatasetError(f'The samples of the set "{self.name}" are not a tuple of Sample.')

    def __len__(self) -> int:
        return len(self.samples)

    def __iter__(self) -> Iterator[Sample]:
        return iter(self.samples)

    def __getitem__(self, index):  # type: ignore[no-untyped-def, override]
        """One sample for an integer, a smaller set of the same name for a slice."""
        if isinstance(index, slice):
            return SampleSet(self.name, self.samples[index])
        return self.samples[index]

    def spread(self, limit: int | None) -> SampleSet:
        """At most ``limit`` samples, evenly spaced over the set; all of them for None."""
        spread = evenly_spread(self.samples, limit)
        return self if spread is self.samples else SampleSet(self.name, spread)


def evenly_spread(items: tuple[Item, ...], limit: int | None) -> tuple[Item, ...]:
    """At most ``limit`` items, evenly spaced; all of them for None."""
    if limit is None or limit >= len(items):
        return items
    return tuple(items[i * len(items) // limit] for i in range(limit))


def word_spans(text: str) -> list[Span]:
    """Character ranges of the words of a text, in any script.

    In scripts without blanks each character is a word, but a run of katakana is one.

    >>> word_spans("Ada's cat"), word_spans("名はココ")
    ([(0, 3), (4, 5), (6, 9)], [(0, 1), (1, 2), (2, 4)])
    """
    marked = text if text.isascii() else "".join(map(_one_mark_for_all, text))
    return [match.span() for match in _WORD.finditer(marked)]


def _one_mark_for_all(character: str) -> str:
    """The character, or one mark in place of any accent, vowel sign or joiner."""
    if character.isascii() or character.isalnum():
        return character
    return _MARK if unicodedata.category(character).startswith("M") or character in _JOINERS else character


def unit_starts(text: str) -> list[int]:
    """Where the words of a text and the visible characters between them begin, with the blanks before them.

    An accent or a vowel sign belongs to its letter, and an emoji is one character however it is composed.

    >>> unit_starts("It is 🇮🇹!")
    [0, 2, 5, 8]
    """
    inside = {i for start, end in word_spans(text) for i in range(start + 1, end)}
    starts: list[int] = []
    for i, character in enumerate(text):
        before = text[i - 1] if i else ""
        flag = _is_flag_half(character) and _is_flag_half(text[starts[-1] : i].strip()) if starts else False
        joined = i in inside or flag or _extends(character) or before == ZERO_WIDTH_JOINER
        if not starts or not (joined or before.isspace()):
            starts.append(i)
    if len(starts) > 1 and not text[starts[-1] :].strip():
        starts.pop()
    return starts


def _extends(character: str) -> bool:
    """Whether a character is part of the one before: a mark, a joiner, a skin tone or a tag."""
    return (
        unicodedata.category(character).startswith("M")
        or character in _JOINERS
        or "\U0001f3fb" <= character <= "\U0001f3ff"
        or "\U000e0020" <= character <= "\U000e007f"
    )


def _is_flag_half(text: str) -> bool:
    return len(text) == 1 and "\U0001f1e6" <= text <= "\U0001f1ff"


def overlaps(offset: Span, spans: Iterable[Span]) -> bool:
    """Whether a character range shares at least one character with any of the spans."""
    start, end = offset
    return any(max(start, begin) < min(end, stop) for begin, stop in spans)


def first_spans(offsets: Iterable[Span], spans: Sequence[Span]) -> list[int | None]:
    """For each character range the number of the first span that it overlaps, None where it overlaps none.

    Args:
        offsets: The ranges.
        spans: None of them empty, in order of their beginnings and of their ends.

    >>> first_spans([(0, 2), (2, 3), (2, 9)], [(0, 2), (3, 5), (6, 9)])
    [0, None, 1]
    """
    stops = [stop for _, stop in spans]
    numbers: list[int | None] = []
    for start, end in offsets:
        first = bisect_right(stops, start)  # the first span that ends behind the beginning
        inside = first < len(spans) and overlaps((start, end), [spans[first]])
        numbers.append(first if inside else None)
    return numbers


def in_spans(offsets: Iterable[Span], spans: Sequence[Span]) -> list[bool]:
    """For each character range whether it overlaps one of the spans, as :func:`first_spans` takes them."""
    return [number is not None for number in first_spans(offsets, spans)]
