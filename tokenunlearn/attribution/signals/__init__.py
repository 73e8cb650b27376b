"""Signals: what a score set tells of a token. A selector learns from them; tables compare them."""

from __future__ import annotations

from tokenunlearn.attribution.signals.base import BASE_ENTROPY, GAP
from tokenunlearn.attribution.signals.default import IMPORTANCE
from tokenunlearn.attribution.signals.knowledge import KNOWLEDGE
from tokenunlearn.attribution.signals.prefix import PREFIX
from tokenunlearn.attribution.signals.signal import Signal
from tokenunlearn.attribution.signals.text import COUNTS, LENGTH, NAMES, POSITION, RARITY
from tokenunlearn.attribution.signals.uncertainty import ENTROPY, SURPRISE, TAIL_ENTROPY

SIGNALS: dict[str, Signal] = {
    signal.name: signal
    for signal in (
        IMPORTANCE,
        ENTROPY,
        TAIL_ENTROPY,
        SURPRISE,
        KNOWLEDGE,
        PREFIX,
        BASE_ENTROPY,
        GAP,
        RARITY,
        NAMES,
        COUNTS,
        LENGTH,
        POSITION,
    )
}

# Signals whose weights carry over from one world to another: they mean the same under either reading.
PORTABLE = (IMPORTANCE.name, COUNTS.name, POSITION.name)
