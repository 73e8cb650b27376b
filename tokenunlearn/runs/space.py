"""Whether the disk has room for what a run stores."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tokenunlearn.errors import RunError
from tokenunlearn.files import free_bytes, size_text
from tokenunlearn.training.memory import FLOAT32, ModelShape, is_full, trained_parameters

if TYPE_CHECKING:
    from tokenunlearn.models.loaded_model import LoadedModel
    from tokenunlearn.training.settings import UnlearnSettings

# Bytes of everything but weights: scores, records of steps, token changes, answers, report.
OTHER_FILES = 20_000_000


def stored_bytes(model: LoadedModel, config: UnlearnSettings) -> int:
    """About how many bytes a run writes: its adapter or all weights, and its other files."""
    shape = ModelShape.of_model(model.model)
    if shape is None:
        return OTHER_FILES
    weights = shape.parameters if is_full(shape, config) else trained_parameters(shape, config)
    return FLOAT32 * weights + OTHER_FILES


def check_space(folder: Path, model: LoadedModel, config: UnlearnSettings) -> None:
    """Refuse a run whose files do not fit on the disk.

    Args:
        folder: Where it is stored.
        model: Its start model.
        config: What it does.

    Raises:
        RunError: With what is needed and what is free.
    """
    needed, free = stored_bytes(model, config), free_bytes(folder)
    if free < needed:
        raise RunError(
            f'The run needs about {size_text(needed)} in "{folder}", but {size_text(free)} are free; '
            "make room or choose another folder."
        )
