"""What runs take: memory and time, from the model's shape and the speed of a forward pass."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tokenunlearn.training.memory import MemoryEstimate, ModelShape, Workload, estimate_memory

if TYPE_CHECKING:
    from tokenunlearn.training.settings import UnlearnSettings

# A backward pass takes about twice a forward pass.
PASSES_OF_A_STEP = 3
# A sample is scored as it is, and with its question masked.
PASSES_OF_A_SCORE = 2


@dataclass(frozen=True)
class RunCost:
    """What decides the memory and time of runs on given samples.

    Attributes:
        shape: The model's shape.
        device: "cpu" or "cuda".
        forget: Response tokens of each sample of the forget set.
        retain: Response tokens of each retained sample.
        lengths: Tokens of each sample, prompt and response.
        seconds: Time of a forward pass per token.
    """

    shape: ModelShape
    device: str
    forget: tuple[int, ...]
    retain: tuple[int, ...]
    lengths: tuple[int, ...]
    seconds: float

    def workload(self, settings: UnlearnSettings) -> Workload:
        """What a run reads, in tokens."""
        retain = self.retain if settings.needs_retain else ()
        drawn = min(len(retain), settings.steps * settings.retain_batch_size)
        return Workload(
            forget=sum(self.forget),
            retain=round(drawn * sum(retain) / max(len(retain), 1)),
            length=max(self.lengths),
            response=max((*self.forget, *retain)),
        )

    def memory(self, runs: Sequence[UnlearnSettings]) -> MemoryEstimate:
        """The estimate of the run that takes most."""
        estimates = [estimate_memory(self.shape, self.workload(s), s, self.device) for s in runs]
        return max(estimates, key=lambda estimate: estimate.total)

    def time(self, runs: Sequence[UnlearnSettings]) -> float:
        """Seconds of training of all runs together."""
        rows = sum(s.steps * (s.batch_size + s.retain_batch_size * s.needs_retain) for s in runs)
        scored = sum(s.steps // s.rescore * len(self.forget) for s in runs if s.rescore)
        passes = rows * PASSES_OF_A_STEP + scored * PASSES_OF_A_SCORE
        return passes * sum(self.lengths) / len(self.lengths) * self.seconds

    def sentence(self, runs: Sequence[UnlearnSettings]) -> str:
        """Memory and time of runs in words."""
        spent = duration_text(self.time(runs))
        one = f"A run of {runs[0].steps:,} steps takes about" if len(runs) == 1 else ""
        many = f"The {len(runs)} runs take at most about"
        return (
            f"{one or many} {self.memory(runs).text} and {spent} of training{'' if one else ' in all'}, "
            "estimated from the model's shape and the speed of a forward pass."
        )


def duration_text(seconds: float) -> str:
    """A duration in seconds, minutes or hours."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 90 * 60 else f"{seconds / 3600:.1f} h"
