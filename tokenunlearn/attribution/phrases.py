"""Which words are taken as one: names, and in recited text titles too. Text alone; no model."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

from tokenunlearn.datasets.samples import Span

# A title may have this many short words in lower case between its names: "Veins of the North".
BETWEEN_NAMES, SHORT_WORD = 2, 3


def is_name(word: str) -> bool:
    """Whether a word has a capital letter or a digit."""
    return any(c.isupper() or c.istitle() or c.isdigit() for c in word)


def is_cased(word: str) -> bool:
    """Whether a word is of a script that has capital letters.

    >>> is_cased("ada"), is_cased("1843"), is_cased("老")
    (True, False, False)
    """
    return word.lower() != word.upper() or any(unicodedata.category(c) in ("Lu", "Ll", "Lt") for c in word)


def phrases(text: str, words: Sequence[Span], apart: Sequence[bool], *, titles: bool = False) -> list[int]:
    """Number of the phrase that each word belongs to: the number of the phrase's first word.

    A run of names with only a blank or a hyphen between them is one phrase: "Ada Lee", "18 March 1956". With
    ``titles`` up to two short words in lower case may stand between two names, or a comma or an apostrophe.

    Args:
        text: The answer.
        words: Character ranges of its words, in order.
        apart: Words that repeat the question; none begins or ends a phrase, a short one may stand in a title.
        titles: Whether titles are phrases as well.

    >>> text = "she wrote Veins of Medea in May 1843"
    >>> words = [(0, 3), (4, 9), (10, 15), (16, 18), (19, 24), (25, 27), (28, 31), (32, 36)]
    >>> phrases(text, words, [False] * 8)
    [0, 1, 2, 3, 4, 5, 6, 6]
    >>> phrases(text, words, [False] * 6 + [True] * 2, titles=True)
    [0, 1, 2, 2, 2, 5, 6, 7]
    """
    numbers = list(range(len(words)))
    joints = (" ", "-", "'", "’", ", ") if titles else (" ", "-")
    last = None
    for i, (start, end) in enumerate(words):
        if apart[i] or not is_name(text[start:end]):
            continue
        if last is not None:
            gap, between = text[words[last][1] : start], range(last + 1, i)
            if not between:
                joined = gap in joints
            else:
                short = all(words[m][1] - words[m][0] <= SHORT_WORD for m in between)
                joined = (
                    titles and len(between) <= BETWEEN_NAMES and short and not set(gap) & set('.;!?"“”()')
                )
            if joined:
                for m in range(last + 1, i + 1):
                    numbers[m] = numbers[last]
        last = i
    return numbers
