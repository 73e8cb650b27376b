"""What the text alone says of a token, without a model."""

from __future__ import annotations

import math
import unicodedata
from collections import Counter
from typing import TYPE_CHECKING

import numpy as np

from tokenunlearn.attribution.signals.signal import Signal
from tokenunlearn.datasets.samples import first_spans, word_spans

if TYPE_CHECKING:
    from tokenunlearn.attribution.sample_scores import SampleScores
    from tokenunlearn.attribution.score_set import ScoreSet


def words_of_tokens(x: SampleScores) -> list[str]:
    """The word that each token belongs to, in lower case; "" for tokens of no word."""
    spans = word_spans(x.answer)
    texts = [unicodedata.normalize("NFC", x.answer[start:end]).casefold() for start, end in spans]
    return ["" if word is None else texts[word] for word in first_spans(x.offsets, spans)]


def rarity(words: list[str], answers: Counter[str], count: int) -> np.ndarray:
    """(T,) negative log of the share of answers that contain each word, in nats; 0 for tokens of no word."""
    return np.array([-math.log((answers[w] + 0.5) / (count + 1)) if w else 0.0 for w in words])


def document_frequency(texts: list[str]) -> Counter[str]:
    """In how many of the texts each word occurs, in lower case."""
    words: Counter[str] = Counter()
    for text in texts:
        folded = unicodedata.normalize("NFC", text).casefold()
        words.update({folded[start:end] for start, end in word_spans(folded)})
    return words


def _rarity(scores: ScoreSet) -> list[np.ndarray]:
    answers = document_frequency([x.answer for x in scores.samples])
    return [rarity(words_of_tokens(x), answers, len(scores)) for x in scores.samples]


RARITY = Signal("rarity", "Rarity of the word among the answers of the set, in nats.", _rarity)
NAMES = Signal(
    "names",
    "1 for words with a capital letter or a digit, else 0.",
    lambda scores: [(x.names & x.in_words).astype(float) for x in scores.samples],
)
COUNTS = Signal(
    "not repeated",
    "0 for words that repeat the question, for punctuation and for the end of turn; else 1.",
    lambda scores: [x.counts.astype(float) for x in scores.samples],
)
LENGTH = Signal(
    "length",
    "Number of characters in the word.",
    lambda scores: [np.array([float(len(w)) for w in words_of_tokens(x)]) for x in scores.samples],
)
POSITION = Signal(
    "position",
    "Position in the response, from 0 for the first token to 1 for the last.",
    lambda scores: [np.linspace(0.0, 1.0, len(x.texts)) for x in scores.samples],
)
