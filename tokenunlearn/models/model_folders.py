"""The folders that make up a model: a preset's, a local one, a Hub snapshot; an adapter after its base."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from tokenunlearn.errors import ModelNotFoundError
from tokenunlearn.folders import readable, user_path
from tokenunlearn.models.checkpoints import find_checkpoint
from tokenunlearn.models.gguf import gguf_file
from tokenunlearn.models.hub import shown
from tokenunlearn.models.presets import PRESETS, preset_folders
from tokenunlearn.models.weight_files import WEIGHTS, WEIGHTS_INDEX, json_object

# Adapters that may lie on one another.
MOST_ADAPTERS = 8
LONGEST_HUB_ID = 193  # owner and name have at most 96 characters each

Fetch = Callable[[str, str | None], Path]


def model_folders(name: str, revision: str | None = None, fetch: Fetch | None = None) -> list[Path]:
    """Folders or GGUF files of a model, the base first, then the adapters that belong to it.

    Args:
        name: A preset, a checkpoint, a local folder, a GGUF file, or a Hub id. A folder or id may hold only
            an adapter; the base is then what its configuration names.
        revision: Of a Hub id.
        fetch: Called with a Hub id and a revision for the folder of a snapshot; None looks nothing up.

    Returns:
        The folders; none if it takes a look at the Hub and there is no ``fetch``.

    Raises:
        ModelNotFoundError: If there is no such folder, it holds no model, or the base of an adapter cannot be
            found.
    """
    folders: list[Path] = []
    while name not in PRESETS:
        path = _path(name, revision, fetch, folders)
        if path is None:
            return []
        if path.resolve() in map(Path.resolve, folders) or len(folders) > MOST_ADAPTERS:
            raise ModelNotFoundError(
                f'The adapter "{shown(folders[-1])}" has no base model: the adapters below it have no end.'
            )
        folders.insert(0, path)
        if not is_adapter(path):
            return folders
        name, revision = _base(path)
    return preset_folders(name) + folders


def name_text(name: object) -> str:
    """A model's name, or the text of a path.

    Raises:
        ModelNotFoundError: If it is anything else.
    """
    if isinstance(name, str | Path):
        return str(name)
    raise ModelNotFoundError(
        f"A model is named by text, not by {type(name).__name__}; use a preset ({', '.join(PRESETS)}), a "
        "local folder or a Hub id."
    )


def is_adapter(path: Path) -> bool:
    """Whether a folder holds an adapter and no weights of a model."""
    return (path / "adapter_config.json").exists() and not any(
        (path / name).exists() for name in (WEIGHTS, WEIGHTS_INDEX)
    )


def _path(name: str, revision: str | None, fetch: Fetch | None, adapters: list[Path]) -> Path | None:
    """The folder or GGUF file of one name; None if it takes a look at the Hub and there is no ``fetch``."""
    try:
        path = _local(name)
        if path is None:
            if fetch is None:
                return None
            checkpoint = find_checkpoint(name)
            path = fetch(checkpoint.hub_id if checkpoint else name, revision)
        return _model_in(path)
    except ModelNotFoundError as error:
        if not adapters:
            raise
        raise ModelNotFoundError(
            f'The adapter "{shown(adapters[0])}" needs its base model "{name}": '
            f"{str(error)[:-1]}; or give the base as model, and this folder as adapter."
        ) from error


def _local(name: str) -> Path | None:
    """The folder or file that a name points at, or None when it is to be looked up on the Hub."""
    path = user_path(name)
    if os.path.exists(path) or name.startswith((".", "/", "~")):
        readable(path)
    if name.strip() and (os.path.isdir(path) or (os.path.isfile(path) and path.suffix == ".gguf")):
        return path
    no_hub_id = len(name) > LONGEST_HUB_ID or not name.isprintable() or name.count("/") > 1
    if no_hub_id or name.startswith((".", "/", "~")) or not name.strip() or path.suffix == ".gguf":
        short = name if len(name) <= LONGEST_HUB_ID else f"{name[:LONGEST_HUB_ID]}…"
        raise ModelNotFoundError(
            f'There is no model folder "{short}"; use a preset ({", ".join(PRESETS)}) or a Hub id.'
        )
    return None


def _model_in(path: Path) -> Path:
    """The GGUF file of a folder that holds one, else the folder, which must hold a model or an adapter."""
    file = gguf_file(path)
    if file is not None and not is_adapter(path):
        return file
    if not (path / "config.json").exists() and not is_adapter(path):
        raise ModelNotFoundError(
            f'The folder "{path}" has no config.json, so it is not a transformers model.'
        )
    if (path / "adapter_config.json").exists() and not is_adapter(path):
        raise ModelNotFoundError(
            f'The folder "{path}" holds both a model and an adapter; move the adapter to a folder of its own '
            "and give it as adapter."
        )
    return path


def _base(folder: Path) -> tuple[str, str | None]:
    """Name and revision of the model that an adapter was trained on.

    A relative path that is not there counts from the adapter's own folder.
    """
    config = json_object(folder / "adapter_config.json")
    name, revision = config.get("base_model_name_or_path"), config.get("revision")
    if not isinstance(name, str) or not name.strip():
        raise ModelNotFoundError(
            f'The folder "{folder}" holds an adapter; give it as adapter, and its base model as model.'
        )
    inside = folder / name
    if name not in PRESETS and not os.path.exists(user_path(name)) and os.path.isdir(inside):
        name = str(inside)
    return name, revision if isinstance(revision, str) else None
