"""What masking measures: the settings that need forward passes. Nothing here imports torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from tokenunlearn.settings import Settings, setting

Mask = Literal["leave-one-out", "prompt", "random"]
Unit = Literal["word", "token"]
Operator = Literal["attention", "token", "embedding"]
Measure = Literal["drop", "kl"]


@dataclass(frozen=True)
class MaskingSettings(Settings):
    """Parameters that control what is masked, how, and what is measured; each change needs forward passes.

    Source: arXiv 2605.00364, knowledge-aware signal; which context is masked and how is this project's
    definition.
    """

    mask: Mask = setting(
        "prompt",
        "prompt: the whole question at once (one extra pass); leave-one-out: one word or token at a time "
        "(one pass each); random: random subsets.",
    )
    unit: Unit = setting("word", "Unit of a masked context: a word or a token.")
    operator: Operator = setting(
        "attention",
        "attention: hide the positions from every query (token is used instead where a model ignores the "
        "attention mask); token: replace the token ids with a mask id; embedding: replace the embeddings "
        "with the mean embedding.",
    )
    measure: Measure = setting(
        "drop",
        "drop: drop in log-probability of the true token; kl: KL divergence of the predictive "
        "distribution. In nats.",
    )
    subsets: int = setting(16, "Number of random subsets.", minimum=1, maximum=10_000)
    seed: int = setting(0, "Seed of the random subsets.", minimum=0)
