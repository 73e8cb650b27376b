"""Texts as words: what a text states, whatever its case and punctuation."""

from __future__ import annotations

import unicodedata
from functools import lru_cache

from tokenunlearn.datasets.samples import word_spans


def words(text: str) -> list[str]:
    """Casefolded words of a text, without punctuation.

    >>> words("Ada's CAT!")
    ['ada', 's', 'cat']
    """
    text = unicodedata.normalize("NFKC", text).casefold()
    return [text[start:end] for start, end in word_spans(text)]


def states(text: str, phrase: str) -> bool:
    """Whether a text contains the words of a phrase, one after another; a phrase without words is in none.

    >>> states("the BLACK-SWAN prize", "Black Swan")
    True
    """
    return _joined("") != _joined(phrase) and _joined(phrase) in _joined(text)


@lru_cache(maxsize=1 << 16)
def _joined(text: str) -> str:
    return f" {' '.join(words(text))} "
