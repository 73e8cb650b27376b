"""What the question and the answer's last tokens tell of the next one, with the rest of the prefix hidden."""

from __future__ import annotations

import numpy as np

from tokenunlearn.attribution.importance import knowledge_score
from tokenunlearn.attribution.signals.signal import Signal, over_sample_words

PREFIX = Signal(
    "prefix masking",
    "Log-probability of the word given the question and three tokens, minus that given one token alone, in "
    "nats; 0 if it repeats the question.",
    lambda scores: over_sample_words(
        scores, lambda x: knowledge_score(np.array([x.prefix_knowledge]), x.copied)
    ),
    option="prefix",
)
