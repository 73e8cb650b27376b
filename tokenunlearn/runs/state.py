"""Where a run is: its status, its phase, its progress."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Literal

Status = Literal["queued", "running", "completed", "stopped", "cancelled", "failed", "interrupted", "damaged"]
ACTIVE = ("queued", "running")
INTERRUPTED = {
    "queued": "The server stopped before this run started.",
    "running": "The process stopped before this run finished.",
}


@dataclass(frozen=True)
class RunState:
    """Where a run is.

    Attributes:
        status: queued or running; completed, stopped (on request, with the weights trained so far), cancelled
            (on request, before any weight changed), failed, or interrupted (its process ended before it did);
            damaged where it cannot be read.
        phase: What an active run does: waiting (for its device), loading, scoring, holdout, reference,
            training, saving, comparing tokens, generating, measuring requests, evaluating.
        done: Units of the phase that are done; steps in training.
        total: Units of the phase.
        message: Why it ended so, or what a reader should know.
        started: UTC time, ISO 8601, or "".
        ended: UTC time, ISO 8601, or "".
    """

    status: Status
    phase: str = ""
    done: int = 0
    total: int = 0
    message: str = ""
    started: str = ""
    ended: str = ""

    @property
    def active(self) -> bool:
        """Whether it is still to end."""
        return self.status in ACTIVE

    def interrupted(self) -> RunState:
        """What an active run is once its process has ended."""
        return replace(self, status="interrupted", message=INTERRUPTED[self.status])


def now() -> str:
    """UTC time, ISO 8601, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")
