"""How uncertain the model is: entropy of the whole word, as it is and at temperature 4, and its surprise."""

from __future__ import annotations

import numpy as np

from tokenunlearn.attribution.signals.signal import Signal, over_sample_words

ENTROPY = Signal(
    "entropy",
    "Entropy of the word at temperature 1, in nats: high where the model is uncertain.",
    lambda scores: over_sample_words(scores, lambda x: x.entropy),
)
TAIL_ENTROPY = Signal(
    "tail entropy",
    "Entropy of the word at temperature 4, in nats: high where many words are plausible, even if one is "
    "certain.",
    lambda scores: over_sample_words(scores, lambda x: x.tail_entropy),
)
SURPRISE = Signal(
    "1 - p",
    "One minus the probability of the true token, 0 to 1.",
    lambda scores: [1 - np.exp(-np.nan_to_num(x.nll)) for x in scores.samples],
)
