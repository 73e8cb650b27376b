"""Facts given as plain strings: where a text states them."""

from __future__ import annotations

from collections.abc import Iterable

from tokenunlearn.datasets.samples import Span, word_spans


def occurrences(text: str, part: str) -> list[int]:
    """Where a text holds a part, in characters from 0; overlapping places too."""
    return [i for i in range(len(text) - len(part) + 1) if text.startswith(part, i)] if part else []


def locate(fact: str, text: str) -> list[Span]:
    """Character ranges of a fact in a text, the first one first.

    The exact text is taken before one that differs in case, and whole words before parts of words: "art" is
    found in "Her art" and not in "Martin".

    >>> locate("art", "Martin likes Art and art")
    [(21, 24)]
    """
    fact = fact.strip()
    folded = text.lower()
    places = occurrences(text, fact)
    if not places and len(folded) == len(text):  # some letters become two in lower case
        places = occurrences(folded, fact.lower())
    spans = [(place, place + len(fact)) for place in places]
    return whole(spans, text) or spans


def whole(spans: Iterable[Span], text: str) -> list[Span]:
    """The character ranges that begin and end no word of a text in its middle."""
    cut = {i for start, end in word_spans(text) for i in range(start + 1, end)}
    return [(a, b) for a, b in spans if a not in cut and b not in cut]
