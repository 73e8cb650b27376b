"""Single cells of a row, checked: texts, and lists that may be written as JSON."""

from __future__ import annotations

import json
from typing import Any

from tokenunlearn.errors import DatasetError


class Written(str):
    """A cell of a table that knows text alone: lists and turns in it are JSON."""


def to_text(value: Any, name: str, where: str) -> str:
    """A cell as a text, "" for None; a ``DatasetError`` when it is no text or holds half of a character."""
    if value is None:
        return ""
    if not isinstance(value, str):
        raise DatasetError(f'{where} has a value of type {type(value).__name__} in "{name}", not text.')
    if not value.isascii() and any("\ud800" <= character <= "\udfff" for character in value):
        raise DatasetError(f'{where} has a "{name}" with an invalid character (a lone surrogate).')
    return str(value)


def to_id(value: Any, where: str) -> str:
    """A cell as the id of a row, "" for None: a text, or a whole number written out."""
    return str(value) if type(value) is int else to_text(value, "id", where)


def to_list(value: Any, name: str, where: str) -> list[Any]:
    """A cell as a list: [] for nothing, a text that begins with "[" read as JSON, any other as one item."""
    if isinstance(value, str):
        value = parse_json(value, f'{where}, column "{name}",') if value.lstrip().startswith("[") else [value]
        value = [] if value == [""] else value
    if not isinstance(value, list | tuple | None):
        raise DatasetError(f'{where} has a value of type {type(value).__name__} in "{name}", not a list.')
    return list(value or ())


def parse_json(text: str, where: str) -> Any:
    """A value written as JSON; a ``DatasetError`` that names the place when it is not."""
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise DatasetError(f"{where} is not valid JSON: {error.msg} at character {error.colno}.") from None
    except (ValueError, RecursionError) as error:  # endless digits, endless nesting
        raise DatasetError(f"{where} is not valid JSON: {error}.") from None
