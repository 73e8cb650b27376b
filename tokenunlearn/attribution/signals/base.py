"""What a model that never saw the answers says of them, and what the model knows beyond it."""

from __future__ import annotations

from tokenunlearn.attribution.signals.signal import Signal, over_sample_words

BASE_ENTROPY = Signal(
    "base entropy",
    "Entropy of the base model over the word, in nats: its uncertainty before the answers were learned.",
    lambda scores: over_sample_words(scores, lambda x: x.base_entropy),
    option="base_model",
)
GAP = Signal(
    "gap",
    "Log-probability of the word minus that under the base model, in nats.",
    lambda scores: over_sample_words(scores, lambda x: x.base_nll - x.nll),
    option="base_model",
)
