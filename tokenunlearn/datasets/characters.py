"""Tokens as text to read: a tokenizer may spell a character with several tokens, none of which is text."""

from __future__ import annotations

from collections.abc import Sequence

from tokenunlearn.datasets.samples import Span

REST = "·"  # a token that ends a character which another one begins
PART_OF_A_CHARACTER = "\ufffd"  # what the bytes of a part of a character are read as


def readable(texts: Sequence[str], offsets: Sequence[Span | None], source: str) -> list[str]:
    """Each token's text; of tokens that share a character the first shows it and the others a dot.

    Args:
        texts: Texts of tokens.
        offsets: Their character ranges in the source; None for a token that is not from there.
        source: The text that they spell.
    """
    shown: list[str] = []
    end_before = 0
    for text, offset in zip(texts, offsets, strict=True):
        start, end = offset or (0, 0)
        if PART_OF_A_CHARACTER not in text or start == end:
            shown.append(text)
        else:
            shown.append(source[max(start, end_before) : end] or REST)
        end_before = max(end, end_before)
    return shown
