"""The recipe of a fine-tuned model: what it was trained from, by which settings and on which samples."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from tokenunlearn.errors import TokenUnlearnError
from tokenunlearn.files import replaced

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
        with replaced(folder / RECIPE) as file:
            file.write(f"{json.dumps(asdict(self), ensure_ascii=False, indent=2)}\n".encode())

    @classmethod
    def load(cls, path: str | Path) -> Recipe:
        """Read a recipe from its file or the folder of its model; a file may also hold the settings alone.

        Raises:
            TokenUnlearnError: If there is no such file or it is not a recipe.
        """
        file = Path(path).expanduser()
        file = file / RECIPE if file.is_dir() else file
        try:
            values = json.loads(file.read_text(encoding="utf-8"))
            recipe = cls(**values) if "settings" in values else cls(settings=values)
            if not all(
                isinstance(known, dict)
                for known in (recipe.settings, recipe.template_kwargs, *recipe.samples.values())
            ):
                raise TypeError
            return recipe
        except OSError:
            raise TokenUnlearnError(f'There is no recipe "{file}"; retrain writes one.') from None
        except (ValueError, TypeError, AttributeError):
            raise TokenUnlearnError(f'The file "{file}" is not a recipe; retrain writes one.') from None


def find_recipe(folder: str | Path) -> Recipe | None:
    """The recipe in a model's folder, or None where there is none that names its base model."""
    try:
        recipe = Recipe.load(Path(folder).expanduser() / RECIPE)
    except TokenUnlearnError:
        return None
    return recipe if recipe.model else None
