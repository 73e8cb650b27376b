"""The collapse guard: a run ends where it destroys the model, rather than complete with noise."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

# Limits in multiples of log V, the NLL of random guessing: how far retained text may move away. Forgotten
# answers may become as unlikely as they like, so they count only where nothing retained is measured.
RETAIN, FORGET = {"kl": 0.25, "nll": 0.5}, 4.0
# Steps in a row that a run may spend beyond, as it does when it overshoots and the retain loss pulls it back.
PATIENCE = 10


@dataclass
class CollapseGuard:
    """Looks at each step's record.

    Attributes:
        vocabulary: Number of tokens V.
        regularizer: Name of the retain loss; "kl" and "nll" are looked at.
        enabled: Whether anything but a loss that is not finite counts.
    """

    vocabulary: int
    regularizer: str
    enabled: bool = True
    _start: Mapping[str, float] = field(default_factory=dict, repr=False)
    _strikes: int = 0

    @property
    def sound(self) -> bool:
        """Whether nothing was wrong with the last record."""
        return self._strikes == 0

    def state(self) -> dict[str, Any]:
        """What the next verdicts depend on, as plain values."""
        return {"start": dict(self._start), "strikes": self._strikes}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a state."""
        self._start, self._strikes = state["start"], state["strikes"]

    def verdict(self, record: Mapping[str, float], *, last: bool = False) -> str:
        """Why training ends after a record; "" if it goes on.

        Args:
            record: The step's record.
            last: Whether these weights are to stay, so that nothing can pull them back.
        """
        fault = self.fault(record)
        self._strikes = self._strikes + 1 if fault else 0
        ends = last or self._strikes > PATIENCE or not math.isfinite(record["loss"])
        return fault if ends else ""

    def fault(self, record: Mapping[str, float]) -> str:
        """What is wrong with the weights behind a record, as a sentence without its end; "" if nothing is.

        The first record given is the start model's, which the others are compared with.
        """
        if not math.isfinite(record["loss"]):
            return "The loss became NaN or infinite"
        self._start = self._start or dict(record)
        guessing = math.log(self.vocabulary)
        rise = {
            name: record[name] - self._start[name] for name in ("forget_nll", "retain_loss") if name in record
        }
        measured = self.regularizer in RETAIN and "retain_loss" in rise
        if self.enabled and not measured and rise["forget_nll"] > FORGET * guessing:
            return (
                f"The NLL of the forget samples rose to {record['forget_nll']:.1f} nats per token, far above "
                f"random guessing ({guessing:.1f})"
            )
        limit = RETAIN.get(self.regularizer, math.inf) * guessing
        if self.enabled and rise.get("retain_loss", 0.0) > limit:
            return (
                f"The model lost the retained samples: their {self.regularizer.upper()} rose to "
                f"{record['retain_loss']:.2f} nats per token (limit {limit:.2f})"
            )
        return ""
