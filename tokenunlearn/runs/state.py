"""Where a run is: its status, its phase, its progress."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

Status = Literal["queued", "running", "completed", "failed", "cancelled", "damaged"]
ACTIVE = ("queued", "running")


@dataclass(frozen=True)
class RunState:
    """Where a run is.

    Attributes:
        status: queued, running, completed, failed or cancelled; damaged where it cannot be read.
        phase: What a running run does: loading, scoring, reference, training, generating, evaluating.
        done: Units of the phase that are done; steps in training.
        total: Units of the phase.
        message: Why it failed, or what a reader should know.
        started: UTC time, ISO 8601, or "".
        ended: UTC time, ISO 8601, or "".
        pid: Process that runs it.
    """

    status: Status
    phase: str = ""
    done: int = 0
    total: int = 0
    message: str = ""
    started: str = ""
    ended: str = ""
    pid: int = 0

    @property
    def active(self) -> bool:
        """Whether it is still to end."""
        return self.status in ACTIVE


def now() -> str:
    """UTC time, ISO 8601, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def alive(pid: int) -> bool:
    """Whether a process exists."""
    if pid <= 0:
        return False
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return True
