"""Reading files that anyone may have written, cut or changed: plain files only, and values of a stated type.

A type says what JSON must hold: ``str``, ``int``, ``float``, ``bool``, ``Any``, a ``Literal``, "| None",
lists, tuples, mappings, dataclasses and TypedDicts of these. Fields that a type does not name, such as those
that a newer version adds, do no harm: a dataclass leaves them out, a TypedDict takes them as they are.
"""

from __future__ import annotations

import json
import math
import os
import stat
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, fields, is_dataclass
from functools import cache
from io import BytesIO
from pathlib import Path
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Any, Literal, Union, get_args, get_origin, get_type_hints, is_typeddict

from tokenunlearn.errors import FileError
from tokenunlearn.folders import user_path
from tokenunlearn.settings import NOUNS

if TYPE_CHECKING:
    import pyarrow as pa

# Whole numbers are at most this far from 0, real ones finite.
LARGEST = 2**63 - 1
MAX_BYTES = 2**30


def read_bytes(path: str | Path) -> bytes:
    """The content of a plain file, as long as it is when it is opened; nothing is waited for.

    Raises:
        OSError: If there is none, it cannot be read, or it is larger than 1 GB. Folders, pipes, devices and
            names that no file can have are no plain files.
    """
    try:
        descriptor = os.open(user_path(path), os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    except ValueError:
        raise FileNotFoundError("no file can have this name") from None
    with open(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise OSError("it is not a plain file")
        if status.st_size > MAX_BYTES:
            raise OSError("it is larger than 1 GB")
        return file.read(status.st_size)


def read_text(path: Path) -> str:
    """The text of a UTF-8 file.

    Raises:
        FileError: If it cannot be read, or is not UTF-8.
    """
    try:
        return read_bytes(path).decode()
    except OSError as error:
        raise FileError(f"{path.name} cannot be read: {error.strerror or error}.") from None
    except UnicodeDecodeError:
        raise FileError(f"{path.name} is not UTF-8.") from None


def read_json(path: Path, kind: Any) -> Any:
    """The value of a JSON file as a type.

    Raises:
        FileError: If the file cannot be read, or holds something else.
    """
    return fitted(parse_json(read_text(path), path.name), kind, path.name)


def read_lines(path: Path, kind: Any) -> tuple[list[Any], int]:
    """The values of a file of JSON lines as a type, and how many other lines it holds.

    Blank lines, and what follows the last line end because it is still being written, do not count.

    Raises:
        FileError: If the file cannot be read.
    """
    try:
        lines = read_bytes(path).split(b"\n")[:-1]
    except OSError as error:
        raise FileError(f"{path.name} cannot be read: {error.strerror or error}.") from None
    values, damaged = [], 0
    for line in lines:
        try:
            values += [fitted(parse_json(line, path.name), kind, path.name)] if line.strip() else []
        except FileError:
            damaged += 1
    return values, damaged


def parse_json(text: str | bytes, name: str) -> Any:
    """The value of a JSON text.

    Args:
        text: The text; bytes are UTF-8.
        name: What the error calls it.

    Raises:
        FileError: If it is not valid JSON, or holds half of a character.
    """
    try:
        text = text if isinstance(text, str) else text.decode()
        value = json.loads(text)
        if "\\ud" in text.lower():  # where half of a character can come from
            json.dumps(value, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        raise FileError(f"{name} is not valid JSON.") from None
    return value


def fitted(value: Any, kind: Any, name: str) -> Any:
    """A value of JSON as a type.

    Args:
        value: What ``json.loads`` gave.
        kind: The type.
        name: What the error calls the value.

    Raises:
        FileError: If it is of another type, lacks a field, or a number is not finite or not below 2^63.
    """
    try:
        return _fitted(value, kind, ())
    except _Misfit as misfit:
        place = ".".join(misfit.place)
        subject = f'"{place[:80]}" in {name}' if place else name
        raise FileError(f"{subject} must be {misfit.demand}.") from None


class _Misfit(Exception):
    def __init__(self, place: tuple[str, ...], demand: str) -> None:
        self.place, self.demand = place, demand


def _fitted(value: Any, kind: Any, place: tuple[str, ...]) -> Any:
    if kind is Any:
        return value
    if kind in NOUNS:
        if not _is_scalar(value, kind):
            raise _Misfit(place, NOUNS[kind])
        return value
    origin, options = get_origin(kind), get_args(kind)
    if origin in (Union, UnionType):
        (inner,) = (option for option in options if option is not NoneType)
        return None if value is None else _fitted(value, inner, place)
    if origin is Literal:
        if value not in options:
            raise _Misfit(place, f"one of {', '.join(options)}")
        return value
    if isinstance(kind, type) and is_dataclass(kind):
        return kind(**_fields(value, kind, place))
    if is_typeddict(kind):
        return value | _fields(value, kind, place)
    if issubclass(origin, Mapping):
        if not isinstance(value, dict):
            raise _Misfit(place, "an object")
        return {key: _fitted(item, options[1], (*place, key)) for key, item in value.items()}
    if not isinstance(value, list):
        raise _Misfit(place, "a list")
    if origin is tuple and options[-1] is not Ellipsis:
        if len(value) != len(options):
            raise _Misfit(place, f"a list of {len(options)}")
        return tuple(_fitted(item, inner, place) for item, inner in zip(value, options, strict=True))
    assert issubclass(origin, Sequence), kind
    items = (_fitted(item, options[0], place) for item in value)
    return tuple(items) if origin is tuple else list(items)


def _is_scalar(value: Any, kind: Any) -> bool:
    """Whether a value is of the type, and can be used as one; a whole number is a real one too."""
    if kind is float and type(value) is float:
        return math.isfinite(value)
    if kind in (int, float):
        return type(value) is int and -LARGEST <= value <= LARGEST
    return type(value) is kind


def _fields(value: Any, kind: Any, place: tuple[str, ...]) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise _Misfit(place, "an object")
    hints, required = _shape(kind)
    for name in required - value.keys():
        raise _Misfit((*place, name), "given")
    return {name: _fitted(value[name], hint, (*place, name)) for name, hint in hints.items() if name in value}


@cache
def _shape(kind: Any) -> tuple[dict[str, Any], frozenset[str]]:
    """The fields of a dataclass or a TypedDict with their types, and those that must be there."""
    if is_typeddict(kind):
        return get_type_hints(kind), kind.__required_keys__
    required = (f.name for f in fields(kind) if f.default is MISSING and f.default_factory is MISSING)
    return {f.name: get_type_hints(kind)[f.name] for f in fields(kind)}, frozenset(required)


def read_table(
    path: Path, schema: pa.Schema, optional: Sequence[str] = ()
) -> tuple[list[dict[str, Any]], Mapping[bytes, bytes]]:
    """The rows of a parquet file with the columns of a schema, and what was written beside them.

    Args:
        path: The file.
        schema: Columns and their types, to which near ones are cast; columns beyond it are left out.
        optional: Columns that may be missing, or hold no value in some rows. No other value is null.

    Raises:
        FileError: If the file cannot be read, or holds something else.
    """
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    try:
        table = pq.ParquetFile(BytesIO(read_bytes(path)), page_checksum_verification=True).read()
        names = [name for name in schema.names if name not in optional or name in table.column_names]
        table = table.select(names)
        table.validate(full=True)
        metadata = table.schema.metadata or {}
        table = table.cast(pa.schema([schema.field(name) for name in names]))
        for name in names:
            column = table[name].drop_null() if name in optional else table[name]
            while not column.null_count and pa.types.is_list(column.type):
                column = pc.list_flatten(column)
            if column.null_count:
                raise FileError(f'"{name}" in {path.name} must be given.')
        return table.to_pylist(), metadata
    except FileError:
        raise
    except OSError as error:
        raise FileError(f"{path.name} cannot be read: {error.strerror or error}.") from None
    except (pa.ArrowException, KeyError, ValueError, OverflowError):
        raise FileError(f"{path.name} is not a table of {', '.join(schema.names)}.") from None
