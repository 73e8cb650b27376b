"""Gold-span accuracy: does the generation still state the fact?"""

from __future__ import annotations

import re
from collections.abc import Sequence


def gold_span_accuracy(generation: str, facts: Sequence[str]) -> float | None:
    """Share of the facts that a generation contains as whole words, whatever their case. Range 0..1.

    None for a sample without gold spans.

    >>> gold_span_accuracy("She was born in Ashby.", ["Ash", "ashby"])
    0.5
    """
    if not facts:
        return None
    text = _plain(generation)
    return sum(bool(re.search(rf"(?<!\w){re.escape(_plain(fact))}(?!\w)", text)) for fact in facts) / len(
        facts
    )


def _plain(text: str) -> str:
    return " ".join(text.casefold().split())
