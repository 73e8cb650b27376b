"""The collapse guard: a run ends where it destroys the model, rather than complete with noise."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

# Limits in multiples of log V, the NLL of random guessing. A forgotten answer may be less likely than for a
# model that never saw it, but not this far beyond guessing; nor does retained text move this far.
FORGET, RETAIN = 2.0, {"kl": 0.25, "nll": 0.5}


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
        if self.enabled and rise["forget_nll"] > FORGET * guessing:
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
