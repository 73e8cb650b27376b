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
        "Context: the whole question at once (one pass more), each of its words or tokens alone "
        "(a pass for each), or random subsets.",
    )
    unit: Unit = setting("word", "What one masked context is: a word or a single token.")
    operator: Operator = setting(
        "attention",
        "attention hides the positions from every query, token replaces the ids by a mask id, "
        "embedding replaces them by the mean embedding.",
    )
    measure: Measure = setting(
        "drop", "drop: log-probability the true token loses; kl: KL of the whole prediction. In nats."
    )
    subsets: int = setting(16, "Number of random subsets.", minimum=1, maximum=10_000)
    seed: int = setting(0, "Seed of the random subsets.", minimum=0)
