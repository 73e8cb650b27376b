"""Models of the Hub: the small files come first and are checked, then exactly the weights that are read."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tokenunlearn.errors import ModelNotFoundError, TokenUnlearnError
from tokenunlearn.models.fingerprint import weights_fingerprint
from tokenunlearn.models.presets import PRESETS
from tokenunlearn.models.weight_files import ADAPTER_WEIGHTS, WEIGHTS, WEIGHTS_INDEX, index_names, name_some

# What a model consists of besides its weights; all of it lies at the top of a repository.
SMALL_FILES = ["*.json", "*.jinja", "*.txt", "*.model", "*.tiktoken"]
SUBFOLDERS = ["*/*"]


def snapshot(hub_id: str, revision: str | None, check: Callable[[Path], None]) -> Path:
    """Download a model, an adapter or a GGUF file, or find it in the cache of the Hub.

    Args:
        hub_id: Owner and name.
        revision: Branch, tag or commit; None for the main branch.
        check: Called with the snapshot when its configuration is there and its weights are not yet; raises
            to stop before they are downloaded.

    Returns:
        The folder of the snapshot; its name is the commit.

    Raises:
        ModelNotFoundError: If the model is not there, not accessible, not complete, or holds several GGUF
            files.
    """
    from huggingface_hub import snapshot_download

    try:
        small = snapshot_download(
            hub_id, revision=revision, allow_patterns=SMALL_FILES, ignore_patterns=SUBFOLDERS
        )
        folder = Path(small)
        check(folder)
        if (folder / WEIGHTS_INDEX).is_file():
            weights = index_names(folder)
        else:
            weights = [WEIGHTS, ADAPTER_WEIGHTS]
        snapshot_download(hub_id, revision=folder.name, allow_patterns=weights, ignore_patterns=SUBFOLDERS)
        if not any(folder.glob("*.safetensors")):
            _download_gguf(hub_id, folder)
    except TokenUnlearnError:
        raise
    except Exception as error:  # the client raises its own kinds and those of its HTTP library
        raise ModelNotFoundError(_why_not_downloaded(hub_id, revision, error)) from error
    return folder


def _download_gguf(hub_id: str, folder: Path) -> None:
    """Download the GGUF file of a repository, unless one is in the cache."""
    from huggingface_hub import HfApi, hf_hub_download

    if any(folder.glob("*.gguf")):
        return
    names = [name for name in HfApi().list_repo_files(hub_id, revision=folder.name) if name.endswith(".gguf")]
    if len(names) > 1:
        raise ModelNotFoundError(
            f'The model "{hub_id}" holds {len(names)} GGUF files ({name_some(names)}); download the one you '
            "want and give its path."
        )
    for name in names:
        hf_hub_download(hub_id, name, revision=folder.name)


def commit_of(path: Path) -> str | None:
    """The commit of a snapshot in the cache of the Hub; None for any other path."""
    in_cache = path.parent.name == "snapshots" and path.parents[1].name.startswith("models--")
    return path.name if in_cache else None


def revision_of(path: Path) -> str:
    """The commit of a snapshot, else the fingerprint of the weights in a folder or GGUF file."""
    return commit_of(path) or weights_fingerprint(path)


def shown(path: Path) -> str:
    """How sentences name a model's path: a snapshot by its id on the Hub."""
    return path.parents[1].name.removeprefix("models--").replace("--", "/") if commit_of(path) else str(path)


def _why_not_downloaded(hub_id: str, revision: str | None, error: Exception) -> str:
    from huggingface_hub.errors import (
        GatedRepoError,
        HFValidationError,
        LocalEntryNotFoundError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    match error:
        case GatedRepoError():
            return f'The model "{hub_id}" is gated; accept its terms on the Hub, then run: hf auth login.'
        case RepositoryNotFoundError() | HFValidationError():
            return f'There is no model "{hub_id}" on the Hub; check the id, or log in if it is private.'
        case RevisionNotFoundError():
            return f'The model "{hub_id}" has no revision "{revision}" on the Hub.'
        case LocalEntryNotFoundError():
            return (
                f'The model "{hub_id}" is not on this machine and the Hub could not be reached; '
                f"use a local folder or one of {', '.join(PRESETS)}."
            )
    return f'The model "{hub_id}" could not be downloaded: {" ".join(str(error).split())[:300]}'
