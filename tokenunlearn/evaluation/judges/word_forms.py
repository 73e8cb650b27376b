"""A judge without a model: faults of word form, against the texts of a suite."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise

import numpy as np
from jaxtyping import Float

from tokenunlearn.datasets.samples import Sample, word_spans

# A word that this many samples use stands for itself in a pair; a rarer one for its kind.
COMMON = 3
REPEATED = 3
START, END = "<start>", "<end>"

Pair = tuple[str, str]


class WordForms:
    """Faults of an answer, in nats per word.

    There are five kinds: a pair of neighboring words, punctuation included, that no other sample's answers
    contain; an unusual end, such as a missing full stop; a word in small letters that no other sample
    contains; a word glued together ("ALeila", "ofIt", "17ell") that no sample contains; and a run of three
    words that the answer has said before. In a pair, a rare word is replaced by its kind: number, capitalized
    or not. A sample's own texts are left out, so that what is recited is judged as strictly as what is new.

    Each fault counts as much as it is surprising: ``-log`` of how often a word of the suite's true answers
    has it.

    Args:
        samples: Those of all parts of a suite; at least one.
    """

    name = "words"

    def __init__(self, samples: Sequence[Sample]) -> None:
        self._words = {s: {w for text in (s.question, *_answers(s)) for w in _units(text)} for s in samples}
        self._word_counts = Counter(word for words in self._words.values() for word in words)
        self._pairs = {s: {p for text in _answers(s) for p in self._paired(_units(text))} for s in samples}
        self._pair_counts = Counter(pair for pairs in self._pairs.values() for pair in pairs)
        faults = sum(self.faults(s, s.answer) for s in samples)
        words = sum(len(_units(s.answer)) for s in samples)
        self._surprise = -np.log((faults + 1) / (words + 1))

    def oddness(self, samples: Sequence[Sample], answers: Sequence[str]) -> Float[np.ndarray, " rows"]:
        """(rows,) nats per word."""
        return np.array(
            [
                self.faults(s, a) @ self._surprise / max(1, len(_units(a)))
                for s, a in zip(samples, answers, strict=True)
            ]
        )

    def faults(self, sample: Sample, answer: str) -> Float[np.ndarray, " 5"]:
        """(5,) how many faults of each kind an answer to a sample's question has.

        They are strange pairs, a strange end, unknown words, glued words and repeated runs.
        """
        units = _units(answer)
        words, pairs = self._words.get(sample, set()), self._pairs.get(sample, set())
        *strange, end = [self._pair_counts[p] <= (p in pairs) for p in self._paired(units)]
        unknown = sum(u.islower() and self._word_counts[u] <= (u in words) for u in units)
        glued = sum(_glued(u) and not self._word_counts[u] for u in units)
        return np.array([sum(strange), end, unknown, glued, repeats(units)], dtype=float)

    def _paired(self, units: Sequence[str]) -> list[Pair]:
        return list(pairwise([START, *map(self._kind, units), END]))

    def _kind(self, unit: str) -> str:
        if unit.isdigit():
            return "<number>"
        if self._word_counts[unit] >= COMMON or not unit[0].isalnum():
            return unit
        return "<name>" if unit[0].isupper() else "<word>"


def repeats(units: Sequence[str]) -> int:
    """How many runs of three words have occurred in the text before.

    >>> repeats("a b c a b c".split())
    1
    """
    runs = [tuple(units[i : i + REPEATED]) for i in range(len(units) - REPEATED + 1)]
    return len(runs) - len(set(runs))


def _glued(word: str) -> bool:
    """Whether a word changes to capitals after its start, or mixes letters and digits."""
    case = any(c.isupper() for c in word[1:]) and any(c.islower() for c in word)
    return case or (any(c.isdigit() for c in word) and any(c.isalpha() for c in word))


def _answers(sample: Sample) -> list[str]:
    return [text for text in (sample.answer, sample.paraphrased_answer, *sample.perturbed_answer) if text]


@lru_cache(maxsize=1 << 15)
def _units(text: str) -> tuple[str, ...]:
    """Words, and what stands between them without blanks.

    >>> _units("Yes, Ada.")
    ('Yes', ',', 'Ada', '.')
    """
    units: list[str] = []
    last = 0
    for start, end in [*word_spans(text), (len(text), len(text))]:
        units += text[last:start].split()
        units += [text[start:end]] if end > start else []
        last = end
    return tuple(units)
