"""Experiment trackers that a run reports to; transformers' Trainer does the reporting. No torch here."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from tokenunlearn.errors import TokenUnlearnError

TRACKERS = ("tensorboard", "trackio", "wandb")
TENSORBOARD = "TENSORBOARD_LOGGING_DIR"


@dataclass(frozen=True)
class Reporting:
    """Trackers by name, and what they call the run.

    Attributes:
        trackers: Names of ``TRACKERS``.
        run_name: What they call the run; "" for a name of their own.
        folder: Where TensorBoard writes unless TENSORBOARD_LOGGING_DIR says so.

    Raises:
        TokenUnlearnError: If a tracker is unknown or not installed.
    """

    trackers: tuple[str, ...] = ()
    run_name: str = ""
    folder: Path = Path("tensorboard")

    def __post_init__(self) -> None:
        """Refuse what could not be reported to before anything is trained."""
        for name in self.trackers:
            if name not in TRACKERS:
                raise TokenUnlearnError(f'There is no tracker "{name}"; use {", ".join(TRACKERS)}.')
            if find_spec(name) is None:
                raise TokenUnlearnError(
                    f'{name} is not installed; run: pip install "tokenunlearn[trackers]".'
                )

    @classmethod
    def to(cls, report_to: str | Sequence[str] | Reporting) -> Reporting:
        """The trackers of a name, of names, or of names separated by commas; "" for none."""
        if isinstance(report_to, Reporting):
            return report_to
        names = report_to.split(",") if isinstance(report_to, str) else report_to
        return cls(tuple(name.strip() for name in names if name.strip()))

    @property
    def arguments(self) -> dict[str, Any]:
        """The arguments of transformers that say so."""
        return {"report_to": list(self.trackers) or "none", "run_name": self.run_name or None}

    @contextmanager
    def training(self) -> Iterator[None]:
        """While a run trains: TensorBoard knows its folder; in the end the run of W&B is closed."""
        named = os.environ.get(TENSORBOARD)
        if "tensorboard" in self.trackers and named is None:
            os.environ[TENSORBOARD] = str(self.folder)
        try:
            yield
        finally:
            if named is None:
                os.environ.pop(TENSORBOARD, None)
            if "wandb" in self.trackers:
                import wandb

                wandb.finish()
