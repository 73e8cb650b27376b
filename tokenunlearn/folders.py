"""Where the package finds what it ships and writes what it makes."""

from __future__ import annotations

import os
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent
# The root of the checkout; None in an installed wheel, which holds the assets and the app inside the package.
CHECKOUT = PACKAGE.parent if (PACKAGE.parent / "pyproject.toml").is_file() else None
ASSETS = (CHECKOUT or PACKAGE) / "assets"
APP = CHECKOUT or PACKAGE / "_app"  # the folder of streamlit_app.py


def cache_folder() -> Path:
    """Folder for converted models and scores: ``TOKENUNLEARN_CACHE`` or ``~/.cache/tokenunlearn``."""
    return Path(os.environ.get("TOKENUNLEARN_CACHE", "~/.cache/tokenunlearn")).expanduser()


def user_path(name: str | Path) -> Path:
    """The path that a person names, "~" being their home; a name that no file can have stays as it is."""
    try:
        return Path(os.path.expanduser(name))
    except ValueError:  # of a NUL character or half of a character behind "~"
        return Path(name)
