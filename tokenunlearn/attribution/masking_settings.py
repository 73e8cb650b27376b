"""What masking measures: the settings that need forward passes. Nothing here imports torch."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, get_args

from tokenunlearn.errors import TokenUnlearnError

Mask = Literal["leave-one-out", "prompt", "random"]
Unit = Literal["word", "token"]
Operator = Literal["attention", "token", "embedding"]
Measure = Literal["drop", "kl"]


@dataclass(frozen=True)
class MaskingSettings:
    """Parameters that control what is masked, how, and what is measured; each change needs forward passes.

    Source: arXiv 2605.00364, knowledge-aware signal; which context is masked and how is this project's
    definition.
    """

    choices: ClassVar[dict[str, Any]] = {"mask": Mask, "unit": Unit, "operator": Operator, "measure": Measure}

    mask: Mask = field(
        default="prompt",
        metadata={
            "help": "Context: the whole question at once (one pass more), each of its words or tokens alone "
            "(a pass for each), or random subsets."
        },
    )
    unit: Unit = field(
        default="word", metadata={"help": "What one masked context is: a word or a single token."}
    )
    operator: Operator = field(
        default="attention",
        metadata={
            "help": "attention hides the positions from every query, token replaces the ids by a mask id, "
            "embedding replaces them by the mean embedding."
        },
    )
    measure: Measure = field(
        default="drop",
        metadata={
            "help": "drop: log-probability the true token loses; kl: KL of the whole prediction. In nats."
        },
    )
    subsets: int = field(default=16, metadata={"help": "Number of random subsets."})
    seed: int = field(default=0, metadata={"help": "Seed of the random subsets."})

    def __post_init__(self) -> None:
        """Refuse values outside the allowed sets."""
        for name, allowed in self.choices.items():
            if getattr(self, name) not in get_args(allowed):
                raise TokenUnlearnError(
                    f'{name} is "{getattr(self, name)}"; it must be one of {", ".join(get_args(allowed))}.'
                )
        if self.subsets < 1:
            raise TokenUnlearnError(f"subsets is {self.subsets}; it must be at least 1.")
