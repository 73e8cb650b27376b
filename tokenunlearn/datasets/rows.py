"""Rows out of the bytes of a file: JSON lines, JSON, CSV, Parquet and Arrow."""

from __future__ import annotations

import csv
import gzip
import io
import json
import os
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tokenunlearn.datasets.cells import Written, parse_json
from tokenunlearn.datasets.schema import WRITTEN
from tokenunlearn.errors import DatasetError
from tokenunlearn.folders import readable, user_path
from tokenunlearn.spreadsheets import unguarded
from tokenunlearn.stored import read_bytes

if TYPE_CHECKING:
    import pyarrow

# Rows, each with what an error message calls it ('Line 3 of "my.jsonl"').
Rows = list[tuple[str, Mapping[str, Any]]]
# More rows than this are a data set for the command line, not for one forget set held in memory and on a
# page.
MAX_ROWS = 5_000
# Most bytes that a compressed file may unfold to.
MAX_BYTES = 200_000_000
DELIMITERS = ",;\t"
# A cell may be a whole document; csv allows 131,072 characters by default, and knows one limit for a process.
csv.field_size_limit(max(csv.field_size_limit(), MAX_BYTES))


def is_file(path: str) -> bool:
    """Whether there is a file, whatever the path is like.

    Raises:
        AccessError: If it lies where this process may not read.
    """
    return os.path.isfile(readable(user_path(path)))


def read_file(path: str, endings: str = ".jsonl, .json or .csv") -> bytes:
    """A file's bytes; a ``DatasetError`` that names the usual endings when there is none."""
    shown = path if len(path) <= 200 else f"{path[:200]}…"
    if not is_file(path):
        raise DatasetError(f'There is no file "{shown}"; give the path of a {endings} file.')
    try:
        return read_bytes(path)
    except OSError as error:
        raise DatasetError(f'The file "{shown}" cannot be read: {error.strerror or error}.') from None


def split_ending(name: str) -> tuple[str, str]:
    """A file's name without its ending, and the ending in small letters.

    >>> split_ending("my.JSONL.gz")
    ('my', '.jsonl.gz')
    """
    path = Path(name)
    unzipped = path.with_suffix("") if path.suffix.lower() == ".gz" else path
    stem = unzipped.stem
    return stem, path.name[len(stem) :].lower()


def parse_rows(content: bytes, name: str, *, limit: int | None = MAX_ROWS) -> Rows:
    """Rows from the bytes of a file, each with what an error message calls it ('Line 3 of "my.jsonl"').

    Args:
        content: The whole file; text is UTF-8.
        name: Its name; the ending says the format, and ".gz" that it is compressed.
        limit: Most rows; None for any number.

    Raises:
        DatasetError: When the file is empty, not UTF-8, not in its format, or holds more rows than allowed.
    """
    ending = split_ending(name)[1]
    read = READERS.get(ending.removesuffix(".gz"))
    if read is None:
        *others, last = READERS
        raise DatasetError(
            f'The file "{name}" is not {", ".join(others)} or {last}; save it as one of these.'
        )
    rows = read(_unzipped(content, name) if ending.endswith(".gz") else content, name)
    if not rows:
        raise DatasetError(f'The file "{name}" has no rows; it needs at least one.')
    if limit is not None:
        _refuse_more_rows(len(rows), name, limit)
    for where, row in rows:
        if not isinstance(row, Mapping):
            raise DatasetError(f"{where} must be an object with fields, not {type(row).__name__}.")
    return rows


def _refuse_more_rows(count: int, name: str, limit: int) -> None:
    if count > limit:
        raise DatasetError(f'The file "{name}" has {count:,} rows; at most {limit:,} can be loaded at once.')


def _refuse_repeated_columns(columns: Iterable[str], name: str) -> None:
    for column, count in Counter(columns).items():
        if column and count > 1:
            raise DatasetError(f'The file "{name}" has {count} columns "{column}"; rename all but one.')


def refuse_repeated_ids(ids: Iterable[tuple[str, str]]) -> None:
    """Raise a ``DatasetError`` at the first row (what it is called, its id) whose id came before."""
    seen: set[str] = set()
    for where, row_id in ids:
        if row_id in seen:
            raise DatasetError(f'{where} has a duplicate id "{row_id}"; ids must be unique.')
        seen.add(row_id)


def decode_text(content: bytes, name: str) -> str:
    """A file's text; a ``DatasetError`` when it is not UTF-8 or holds nothing."""
    try:
        text = content.decode("utf-8-sig")
        place = text.find("\0", 0, 4)  # as UTF-16 without a byte order mark has; a cell may hold one
    except UnicodeDecodeError as error:
        text, place = "", error.start
    if place >= 0:
        raise DatasetError(f'The file "{name}" is not UTF-8 (byte {place:,}); save it as UTF-8.')
    if not text.strip():
        raise DatasetError(f'The file "{name}" is empty; it needs at least one row.')
    return text


def _unzipped(content: bytes, name: str) -> bytes:
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(content)) as file:
            unzipped = file.read(MAX_BYTES + 1)
    except (OSError, EOFError, zlib.error):
        raise DatasetError(f'The file "{name}" cannot be decompressed as gzip.') from None
    if len(unzipped) > MAX_BYTES:
        raise DatasetError(f'The file "{name}" decompresses to more than {MAX_BYTES // 10**6} MB; split it.')
    return unzipped


def _jsonl_rows(content: bytes, name: str) -> list[tuple[str, Any]]:
    lines = decode_text(content, name).split("\n")  # JSON strings may hold the other line separators
    places = ((f'Line {number} of "{name}"', line) for number, line in enumerate(lines, start=1))
    return [(where, _as_row(parse_json(line, where))) for where, line in places if line.strip()]


def _json_rows(content: bytes, name: str) -> list[tuple[str, Any]]:
    text = decode_text(content, name)
    try:
        whole = json.loads(text)
    except json.JSONDecodeError as error:
        if error.msg == "Extra data":  # the TOFU files are JSON lines under a .json name
            return _jsonl_rows(content, name)
        raise DatasetError(
            f'The file "{name}" is not valid JSON: '
            f"{error.msg} at line {error.lineno}, character {error.colno}."
        ) from None
    except (ValueError, RecursionError) as error:
        raise DatasetError(f'The file "{name}" is not valid JSON: {error}.') from None
    if isinstance(whole, Mapping) and isinstance(whole.get("data"), list | Mapping):
        whole = whole["data"]
    if isinstance(whole, Mapping):
        whole = _rows_of_columns(whole, name)
    if not isinstance(whole, list):
        raise DatasetError(f'The file "{name}" is JSON but not a list of rows.')
    return [(f'Row {number} of "{name}"', _as_row(row)) for number, row in enumerate(whole, start=1)]


def _as_row(value: Any) -> Any:
    """A row; a text alone is a document."""
    return {"text": value} if isinstance(value, str) else value


def _rows_of_columns(whole: Mapping[str, Any], name: str) -> list[Any]:
    """The rows of an object whose fields are columns; any other object is one row.

    A column is a list, or an object of cells by number, as pandas writes it. One list of chat turns is not a
    column.
    """
    numbers = next((v.keys() for v in whole.values() if isinstance(v, Mapping)), ())
    columns = {key: list(v.values()) if isinstance(v, Mapping) else v for key, v in whole.items()}
    cells = [column[0] for column in columns.values() if isinstance(column, list) and column]
    turns = any(isinstance(cell, Mapping) and cell.keys() & {"role", "from"} for cell in cells)
    if turns or not all(isinstance(column, list) for column in columns.values()):
        return [whole]
    if len({len(column) for column in columns.values()}) > 1:
        sizes = ", ".join(f"{key} {len(column):,}" for key, column in columns.items())
        raise DatasetError(f'The file "{name}" has columns of different lengths: {sizes}.')
    for key, column in whole.items():
        if isinstance(column, Mapping):
            if column.keys() != numbers:
                raise DatasetError(f'The file "{name}" has columns of different rows.')
            columns[key] = [column[number] for number in numbers]
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def _csv_rows(content: bytes, name: str, delimiters: str = DELIMITERS) -> list[tuple[str, Any]]:
    text = decode_text(content, name).lstrip("\r\n")
    lines = partial(io.StringIO, text, newline="")  # with the line ends that it has
    try:
        # The delimiter is the one that makes most of the header.
        delimiter = max(delimiters, key=lambda d: len(next(csv.reader(lines(), delimiter=d))))
        table = csv.DictReader(lines(), delimiter=delimiter, strict=True)
        rows = [(f'Row {number} of "{name}"', row) for number, row in enumerate(table, start=1)]
    except csv.Error as error:
        raise DatasetError(f'The file "{name}" is not valid CSV: {error}.') from None
    _refuse_repeated_columns(table.fieldnames or (), name)
    for where, row in rows:
        if None in row:
            raise DatasetError(
                f"{where} has more cells than the header; quote cells that contain a delimiter."
            )
    own = tuple(table.fieldnames or ()) in (WRITTEN, WRITTEN[:-1])
    return [(where, {k: _cell(v, own=own) for k, v in row.items()}) for where, row in rows]


def _cell(text: str | None, *, own: bool) -> str | None:
    """A cell of a CSV file: an empty one is None, except in a file that was written here."""
    if own:
        return text and unguarded(text)
    return Written(text) if text else None


def _parquet_rows(content: bytes, name: str) -> list[tuple[str, Any]]:
    from pyarrow import parquet

    return _table_rows(lambda: parquet.ParquetFile(io.BytesIO(content)).read(), name)


def _arrow_rows(content: bytes, name: str) -> list[tuple[str, Any]]:
    """Rows of an Arrow file (Feather), or of an Arrow stream, as ``datasets`` writes."""
    from pyarrow import ipc

    open_table = ipc.open_file if content.startswith(b"ARROW1") else ipc.open_stream
    return _table_rows(lambda: open_table(content).read_all(), name)


def _table_rows(read: Callable[[], pyarrow.Table], name: str) -> list[tuple[str, Any]]:
    from pyarrow import ArrowException

    try:
        table = read()
        _refuse_more_rows(table.num_rows, name, MAX_ROWS)
        _refuse_repeated_columns(table.column_names, name)
        rows = table.to_pylist()
    except DatasetError:
        raise
    except (ArrowException, OSError, ValueError, OverflowError) as error:
        reason = " ".join(str(error).split())[:100].rstrip(".")
        raise DatasetError(
            f'The file "{name}" cannot be read as {split_ending(name)[1]}: {reason}.'
        ) from None
    return [(f'Row {number} of "{name}"', row) for number, row in enumerate(rows, start=1)]


READERS: Mapping[str, Callable[[bytes, str], list[tuple[str, Any]]]] = {
    ".jsonl": _jsonl_rows,
    ".json": _json_rows,
    ".csv": _csv_rows,
    ".tsv": partial(_csv_rows, delimiters="\t"),
    ".parquet": _parquet_rows,
    ".arrow": _arrow_rows,
}
