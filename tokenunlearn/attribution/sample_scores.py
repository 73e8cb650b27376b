"""What was measured on one sample, and what its text alone says of each token."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from tokenunlearn.attribution.phrases import is_cased, is_name, phrases
from tokenunlearn.attribution.reading import LOWER_CASE, REPEATED, Reading
from tokenunlearn.datasets.characters import PART_OF_A_CHARACTER, readable
from tokenunlearn.datasets.samples import Span, first_spans, in_spans, overlaps, word_spans

# What is measured only where it is asked for: option of score -> arrays.
OPTIONAL: Mapping[str, tuple[str, ...]] = {
    "prefix": ("prefix_knowledge",),
    "base_model": ("base_nll", "base_entropy"),
}
OPTIONAL_ARRAYS = tuple(name for names in OPTIONAL.values() for name in names)


@dataclass(frozen=True, eq=False)
class SampleScores:
    """What was measured on one sample. P prompt tokens, C contexts, T response tokens.

    Attributes:
        sample_id: The sample's id.
        question: Its question.
        answer: Its answer.
        span: Gold character ranges of the fact in the answer; only evaluation and display read them.
        prompt_texts: (P,) texts of the prompt tokens.
        texts: (T,) texts of the response tokens, the last being the end of turn.
        token_ids: (T,) ids of the response tokens.
        offsets: (T,) character ranges in the answer.
        nll: (T,) token NLL, in nats.
        entropy: (T,) entropy score h_t, in nats.
        tail_entropy: (T,) the same of the prediction at temperature 4, in nats.
        contexts: (C,) texts of the masked contexts.
        losses: (C, T) what masking each context cost each token, in nats.
        copied: (T,) tokens that repeat the question.
        prefix_knowledge: (T,) what question and last tokens add to the log-probability under the last token
            alone, in nats; None where it was not measured.
        base_nll: (T,) token NLL under the base model, in nats; None without one.
        base_entropy: (T,) entropy of the base model, in nats; None without one.
    """

    sample_id: str
    question: str
    answer: str
    span: tuple[Span, ...]
    prompt_texts: tuple[str, ...]
    texts: tuple[str, ...]
    token_ids: tuple[int, ...]
    offsets: tuple[Span, ...]
    nll: np.ndarray
    entropy: np.ndarray
    tail_entropy: np.ndarray
    contexts: tuple[str, ...]
    losses: np.ndarray
    copied: np.ndarray
    prefix_knowledge: np.ndarray | None = None
    base_nll: np.ndarray | None = None
    base_entropy: np.ndarray | None = None

    @cached_property
    def gold(self) -> np.ndarray:
        """(T,) whether a token holds a character of a gold span."""
        return np.array([overlaps(offset, self.span) for offset in self.offsets], dtype=bool)

    @cached_property
    def words(self) -> np.ndarray:
        """(T,) number of the answer's word that each token belongs to; tokens of no word stand alone."""
        return self._numbered(range(len(word_spans(self.answer))))

    def _numbered(self, keys: Sequence[object]) -> np.ndarray:
        """(T,) numbers from 0 of tokens, equal where their words have equal keys; others stand alone."""
        numbers: dict[object, int] = {}
        words = first_spans(self.offsets, word_spans(self.answer))
        own = (("none", t) if word is None else keys[word] for t, word in enumerate(words))
        return np.array([numbers.setdefault(key, len(numbers)) for key in own], dtype=int)

    @cached_property
    def in_words(self) -> np.ndarray:
        """(T,) bool, tokens of words: no punctuation, no blank, no end of turn."""
        return np.array(in_spans(self.offsets, word_spans(self.answer)), dtype=bool)

    @cached_property
    def counts(self) -> np.ndarray:
        """(T,) bool, tokens of words that do not repeat the question; in a document of all words."""
        return self.in_words & ~self.copied if self.question else self.in_words

    @cached_property
    def names(self) -> np.ndarray:
        """(T,) bool, tokens of words with a capital letter or a digit; all in a script without capitals."""
        spans = [
            (a, b)
            for a, b in word_spans(self.answer)
            if is_name(self.answer[a:b]) or not is_cased(self.answer[a:b])
        ]
        return np.array(in_spans(self.offsets, spans), dtype=bool)

    @cached_property
    def units(self) -> Mapping[Reading, np.ndarray]:
        """By reading: (T,) number of the unit that each token belongs to, a word or a name, or a title.

        Under "plain" the words; under "sharp" names are taken whole, under "tail" titles too.
        """
        spans = word_spans(self.answer)
        repeats = [self.offsets[t] for t in np.flatnonzero(self.in_words & ~self.counts)]
        apart = in_spans(spans, repeats)
        return {
            "plain": self.words,
            "sharp": self._numbered(phrases(self.answer, spans, apart)),
            "tail": self._numbered(phrases(self.answer, spans, apart, titles=True)),
        }

    def factor(self, reading: Reading, copy_guard: bool) -> np.ndarray:
        """(T,) 0..1, what the text alone says of each token under a reading of the entropy.

        A word inside a title counts as the title does.
        """
        if reading == "plain":
            return np.ones(len(self.texts))
        units = self.units[reading]
        own = np.where(self.names, 1.0, LOWER_CASE[reading])
        if copy_guard:
            own = own * np.where(self.counts, 1.0, REPEATED[reading])
        highest = np.zeros(int(units.max(initial=-1)) + 1)
        np.maximum.at(highest, units, own)
        return self.in_words * highest[units]

    @cached_property
    def labels(self) -> tuple[str, ...]:
        """(T,) each token's text to read; see :func:`~tokenunlearn.datasets.characters.readable`."""
        return tuple(readable(self.texts, self.offsets, self.answer))

    @cached_property
    def context_labels(self) -> tuple[str, ...]:
        """(C,) what each masked context is called: its text, unless it has none that is visible."""
        return tuple(text if text.strip().strip(PART_OF_A_CHARACTER) else "(blank)" for text in self.contexts)

    @cached_property
    def texts_hashed(self) -> bytes:
        """Texts, ids and places as they enter the hash of a score set."""
        texts: list[object] = [
            self.sample_id,
            self.question,
            self.answer,
            self.span,
            self.prompt_texts,
            self.texts,
        ]
        texts += [self.token_ids, self.offsets, self.contexts]
        return json.dumps(texts, ensure_ascii=False).encode()
