"""Executions without a model, which write what a training writes."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from tokenunlearn.files import new_folder
from tokenunlearn.runs.runner import Cancelled


def fake_execution(steps: int = 20, seconds: float = 0.002, fault: Callable[[int], Any] | None = None):
    """What takes the place of an execution's ``go``: steps, weights and an end.

    Args:
        steps: Steps of the training.
        seconds: Time of a step.
        fault: Called in every step with its number; what it raises is a fault of the run.
    """

    def go(self):
        for step in range(1, steps + 1):
            time.sleep(seconds)
            self.run.append_metrics({"step": step, "loss": 1.0})
            self.phase("training", step, steps)
            if fault:
                fault(step)
            if self.run.cancel_requested:
                raise Cancelled
        with new_folder(self.run.folder / "adapter") as folder:
            (folder / "adapter_config.json").write_text("{}")
        return self.run.set_state(status="completed", phase="", done=steps, total=steps)

    return go
