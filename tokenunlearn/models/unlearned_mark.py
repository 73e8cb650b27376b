"""The mark of an exported model or adapter, by which it is not taken for a model that no run changed."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from tokenunlearn import __version__
from tokenunlearn.errors import ModelNotFoundError
from tokenunlearn.files import write_json
from tokenunlearn.models.weight_files import json_object

if TYPE_CHECKING:
    from transformers import PreTrainedModel

FIELD = "unlearned_by"
# In an adapter's folder; peft warns of fields that it does not know in adapter_config.json.
ADAPTER_FILE = "tokenunlearn.json"


def mark_model(model: PreTrainedModel) -> None:
    """Mark a model's configuration; transformers keeps the field through later training and saving."""
    setattr(model.config, FIELD, f"tokenunlearn {__version__}")


def mark_adapter(folder: Path) -> None:
    """Mark a folder that holds an adapter alone."""
    write_json(folder / ADAPTER_FILE, {FIELD: f"tokenunlearn {__version__}"})


def is_marked(model: PreTrainedModel) -> bool:
    """Whether a loaded model is what a run exported, whole or as an adapter, or was trained on from it."""
    return bool(getattr(model.config, FIELD, None))


def is_marked_folder(folder: str | Path) -> bool:
    """Whether a folder holds what a run exported: an adapter, or a whole model, from its configuration."""
    folder = Path(folder)
    if os.path.isfile(folder / ADAPTER_FILE):
        return True
    with suppress(ModelNotFoundError):
        return bool(json_object(folder / "config.json").get(FIELD))
    return False
