"""Where the package finds what it ships and writes what it makes."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from tokenunlearn.errors import AccessError

PACKAGE = Path(__file__).resolve().parent
# The root of the checkout; None in an installed wheel, which holds the assets and the app inside the package.
CHECKOUT = PACKAGE.parent if (PACKAGE.parent / "pyproject.toml").is_file() else None
ASSETS = (CHECKOUT or PACKAGE) / "assets"
APP = CHECKOUT or PACKAGE / "_app"  # the folder of streamlit_app.py
_roots: tuple[Path, ...] = ()


def cache_folder() -> Path:
    """Folder for converted models and scores: ``TOKENUNLEARN_CACHE`` or ``~/.cache/tokenunlearn``."""
    return user_path(os.environ.get("TOKENUNLEARN_CACHE") or "~/.cache/tokenunlearn")


def user_path(name: str | Path) -> Path:
    """The path that a person names, "~" being their home; a name that no file can have stays as it is."""
    try:
        return Path(os.path.expanduser(name))
    except ValueError:  # of a NUL character or half of a character behind "~"
        return Path(name)


def confine(roots: Iterable[Path]) -> None:
    """Let this process read models and samples under these folders only; none lifts the limit.

    The app does so; the command line reads whatever its user can.

    Args:
        roots: Resolved folders.
    """
    global _roots
    _roots = tuple(roots)


def readable(path: Path) -> Path:
    """A path that names a model or samples, if this process may read it and, in a folder, the files in it.

    Raises:
        AccessError: If it, or what a link leads to, lies outside the folders of :func:`confine`.
    """
    if _roots:
        _check_inside(path, path)
        for file in path.glob("*"):
            _check_inside(file, path)
    return path


def _check_inside(path: Path, named: Path) -> None:
    try:
        resolved = path.resolve()
    except (OSError, RuntimeError, ValueError):  # a circle of links, or a name that no file can have
        return
    if not any(resolved.is_relative_to(root) for root in _roots):
        raise AccessError(
            f'"{named}" lies outside the folders that the app may read; start it with TOKENUNLEARN_ROOTS '
            "set to the folders of your models and samples."
        )
