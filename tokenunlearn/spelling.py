"""Settings that were once spelled differently: old files and command lines go on to work."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

RENAMED = {"regulariser": "regularizer", "normaliser": "normalizer"}


def renamed(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings under their present names."""
    return {RENAMED.get(name, name): value for name, value in settings.items()}
