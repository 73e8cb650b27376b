"""Where the package keeps what it ships and what it makes."""

from __future__ import annotations

import os
from pathlib import Path

ASSETS = Path(__file__).resolve().parent.parent / "assets"


def cache_folder() -> Path:
    """Folder for converted models and scores: ``TOKENUNLEARN_CACHE`` or ``~/.cache/tokenunlearn``."""
    return Path(os.environ.get("TOKENUNLEARN_CACHE", "~/.cache/tokenunlearn")).expanduser()
