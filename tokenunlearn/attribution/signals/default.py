"""The default importance as a signal: what a selector can fall back on."""

from __future__ import annotations

from dataclasses import replace

from tokenunlearn.attribution.importance import ImportanceSettings
from tokenunlearn.attribution.signals.signal import Signal

IMPORTANCE = Signal(
    "importance",
    "Importance with default settings, 0 to 1: entropy, lowered for words that repeat the question.",
    lambda scores: replace(scores, selector=None, settings=ImportanceSettings()).importance,
)
