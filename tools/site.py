"""What the documentation site adds to its pages: tables of settings, and docstrings without Sphinx roles."""

from __future__ import annotations

import re
from dataclasses import MISSING, Field, fields
from importlib import import_module
from typing import Any

from tokenunlearn.settings import explained

SETTINGS = re.compile(r"^\{\{ settings ([\w.]+) \}\}$", re.MULTILINE)
ROLES = re.compile(r":(?:class|data|func|meth):(?=<code>)")


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Replace ``{{ settings module.Class }}`` with a table of the class's fields."""
    return SETTINGS.sub(lambda match: settings_table(match[1]), markdown)


def on_page_content(html: str, **_: Any) -> str:
    """Show ``:meth:`name``` of a docstring as code."""
    return ROLES.sub("", html)


def settings_table(place: str) -> str:
    """Name, default and help of the fields of a dataclass, as a markdown table."""
    module, _, name = place.rpartition(".")
    rows = [
        f"| `{f.name}` | {_default(f)} | {explained(f.metadata) if f.metadata else ''} |"
        for f in fields(getattr(import_module(module), name))
    ]
    return "\n".join(["| setting | default | |", "|---|---|---|", *rows])


def _default(field: Field[Any]) -> str:
    value = field.default if field.default_factory is MISSING else field.default_factory()
    return "auto" if value is None else f"`{value!r}`"
