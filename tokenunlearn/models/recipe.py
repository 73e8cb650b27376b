"""The recipe of a fine-tuned model: what it was trained from, by which settings and on which samples."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from tokenunlearn.errors import FileError, TokenUnlearnError
from tokenunlearn.files import write_json
from tokenunlearn.folders import user_path
from tokenunlearn.stored import fitted, read_json

RECIPE = "recipe.json"


@dataclass(frozen=True)
class Recipe:
    """How a model was fine-tuned; ``recipe.json`` in its folder.

    Attributes:
        settings: Settings of the training.
        model: Name of the model that the training began with.
        revision: Its content fingerprint.
        system_prompt: System turn of its prompts, which the trained model goes on to use; None for the chat
            template's default.
        template_kwargs: Variables of the chat template, as transformers takes them.
        samples: "retain" and, if it was named, "forget" -> name, number of samples, sha256 of their content,
            and whether the model was trained on them.
        versions: Versions of what trained it.
    """

    settings: Mapping[str, Any]
    model: str = ""
    revision: str = ""
    system_prompt: str | None = None
    template_kwargs: Mapping[str, Any] = field(default_factory=dict)
    samples: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)

    def trained_on(self, part: str, sha256: str) -> bool:
        """Whether the model was trained on these samples under this name."""
        known = self.samples.get(part, {})
        return bool(known.get("trained")) and known.get("sha256") == sha256

    def save(self, folder: Path) -> None:
        """Write ``recipe.json`` into a folder."""
        write_json(folder / RECIPE, asdict(self))

    @classmethod
    def load(cls, path: str | Path) -> Recipe:
        """Read a recipe from its file or the folder of its model; a file may also hold the settings alone.

        Raises:
            TokenUnlearnError: If there is no such file or it is not a recipe.
        """
        file = user_path(path)
        file = file / RECIPE if os.path.isdir(file) else file
        if not os.path.isfile(file):
            raise TokenUnlearnError(f'There is no recipe "{file}"; retrain writes one.')
        try:
            values = read_json(file, dict[str, Any])
            recipe: Recipe = fitted(values if "settings" in values else {"settings": values}, cls, file.name)
        except FileError as error:
            reason = str(error)[:-1]
            raise TokenUnlearnError(
                f'The file "{file}" is not a recipe: {reason}; retrain writes one.'
            ) from None
        return recipe


def find_recipe(folder: str | Path) -> Recipe | None:
    """The recipe in a model's folder, or None where there is none that names its base model."""
    try:
        recipe = Recipe.load(user_path(folder) / RECIPE)
    except TokenUnlearnError:
        return None
    return recipe if recipe.model else None
