"""What hiding the question costs the prediction of a token."""

from __future__ import annotations

from tokenunlearn.attribution.importance import knowledge_score
from tokenunlearn.attribution.signals.signal import Signal, over_sample_words

KNOWLEDGE = Signal(
    "masking",
    "Drop in log-probability of the word over all masked contexts, in nats; 0 if it repeats the question.",
    lambda scores: over_sample_words(scores, lambda x: knowledge_score(x.losses, x.copied)),
)
