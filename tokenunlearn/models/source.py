"""What decides which model is loaded: its name, what earlier runs changed, how its template is written."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tokenunlearn.errors import ModelNotFoundError
from tokenunlearn.models.hub import revision_of
from tokenunlearn.models.model_folders import model_folders

if TYPE_CHECKING:
    from tokenunlearn.models.loaded_model import LoadedModel


@dataclass(frozen=True)
class ModelSource:
    """A model by what loads it; two equal sources load the same model.

    Attributes:
        name: Preset, Hub id or local folder.
        adapters: Folders of what runs changed, the earliest first: LoRA adapters or full weights.
        template_kwargs: Variables of the chat template by name, as transformers takes them.
        quantization: "4bit" or "8bit" weights by bitsandbytes, or "" for weights as they are.
    """

    name: str
    adapters: tuple[str, ...] = ()
    template_kwargs: Mapping[str, Any] = field(default_factory=dict, hash=False)
    quantization: str = ""

    def adapted(self, folder: str | Path) -> ModelSource:
        """This model after one more run, by the folder of what that changed."""
        return replace(self, adapters=(*self.adapters, str(folder)))

    def load(self, **placement: Any) -> LoadedModel:
        """Load the model; ``placement`` takes device and dtype as :func:`load_model` does.

        Raises:
            ModelNotFoundError: With one sentence saying what is missing and how to get it.
        """
        from tokenunlearn.models.loading import load_model

        return load_model(
            self.name,
            adapter=self.adapters,
            template_kwargs=self.template_kwargs,
            quantization=self.quantization or None,
            **placement,
        )

    @property
    def revision(self) -> str:
        """The revision that loading would give now; "" for Hub ids and missing weights."""
        try:
            own = model_folders(self.name)
        except ModelNotFoundError:
            return ""
        weights, loras = layered(own, [Path(a) for a in self.adapters])
        if weights is None or not all(map(_has_weights, [weights, *loras])):
            return ""
        own_revision = revision_of(weights) + (f"-{self.quantization}" if self.quantization else "")
        return "+".join([own_revision, *map(revision_of, loras)])


def _has_weights(path: Path) -> bool:
    return path.is_file() or any(path.glob("*.safetensors"))


def layered(folders: Sequence[Path], adapters: Sequence[Path]) -> tuple[Path | None, list[Path]]:
    """The folder whose weights count, None if there is none, and the LoRA adapters merged into them.

    Args:
        folders: The model's own folder, and those of adapters that belong to it; none for a Hub id.
        adapters: What runs changed, the earliest first; full weights replace all before them.
    """
    layers = [*folders, *adapters]
    full = [i for i, path in enumerate(layers) if not os.path.exists(path / "adapter_config.json")]
    return (layers[full[-1]], layers[full[-1] + 1 :]) if full else (None, layers)
