"""Files and uploads: JSONL, JSON and CSV with at least "question" and "answer"."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from tokenunlearn.datasets.samples import Sample, SampleSet
from tokenunlearn.datasets.schema import TEXTS, features, to_row, to_sample
from tokenunlearn.errors import DatasetError

# More rows than this are a data set for the command line, not for one forget set held in memory and on a
# page.
MAX_ROWS = 5_000
LIST_FIELDS = ("perturbed_answer", "span", "paraphrased_span")


def load_file(path: str | Path) -> SampleSet:
    """Read samples from a .jsonl, .json or .csv file.

    Raises:
        DatasetError: If the file is missing, or anything :func:`parse_samples` refuses.
    """
    path = Path(path).expanduser()
    if not path.is_file():
        raise DatasetError(f'There is no file "{path}"; give the path of a .jsonl, .json or .csv file.')
    return SampleSet(f"file:{path}", parse_samples(path.read_bytes(), path.name))


def parse_samples(content: bytes, name: str) -> tuple[Sample, ...]:
    """Samples from the bytes of a file or an upload.

    Args:
        content: The whole file, UTF-8.
        name: Its name; the ending says the format.

    Raises:
        DatasetError: One sentence naming the file, the row and what is expected: anything :func:`parse_rows`
            refuses, a row that lacks a field or has an empty answer, or an id that comes twice.
    """
    rows = parse_rows(content, name)
    samples = [
        to_sample(row, where, f"{Path(name).stem}-{index:04d}") for index, (where, row) in enumerate(rows)
    ]
    refuse_repeated_ids([(where, sample.id) for (where, _), sample in zip(rows, samples, strict=True)])
    return tuple(samples)


def refuse_repeated_ids(ids: Iterable[tuple[str, str]]) -> None:
    """Raise a ``DatasetError`` at the first row (what it is called, its id) whose id came before."""
    seen: set[str] = set()
    for where, row_id in ids:
        if row_id in seen:
            raise DatasetError(f'{where} repeats the id "{row_id}"; ids must differ.')
        seen.add(row_id)


def parse_rows(content: bytes, name: str) -> list[tuple[str, Mapping[str, Any]]]:
    """Rows from the bytes of a file, each with what an error message calls it ('Line 3 of "my.jsonl"').

    Raises:
        DatasetError: When the file is empty, not UTF-8, not in its format, or holds more than ``MAX_ROWS``
            rows.
    """
    ending = Path(name).suffix.lower()
    readers = {".jsonl": _jsonl_rows, ".json": _json_rows, ".csv": _csv_rows}
    if ending not in readers:
        raise DatasetError(f'The file "{name}" is not .jsonl, .json or .csv; save it as one of these.')
    rows = readers[ending](decode_text(content, name), name)
    if not rows:
        raise DatasetError(f'The file "{name}" holds no rows; it needs at least one.')
    if len(rows) > MAX_ROWS:
        raise DatasetError(
            f'The file "{name}" has {len(rows):,} rows; at most {MAX_ROWS:,} can be loaded at once.'
        )
    for where, row in rows:
        if not isinstance(row, Mapping):
            raise DatasetError(f"{where} is no object with fields but {type(row).__name__}.")
    return rows


def to_dataset(samples: Iterable[Sample]):  # type: ignore[no-untyped-def]
    """Samples as a ``datasets.Dataset`` of the one schema, for export and for other tools."""
    from datasets import Dataset

    return Dataset.from_list([to_row(sample) for sample in samples], features=features())


def to_jsonl(samples: Iterable[Sample]) -> bytes:
    """Samples as JSON lines in UTF-8, which :func:`parse_samples` reads back unchanged."""
    return "".join(json.dumps(to_row(s), ensure_ascii=False) + "\n" for s in samples).encode()


def to_csv(samples: Iterable[Sample]) -> bytes:
    """Samples as CSV in UTF-8, lists as JSON in their cells; :func:`parse_samples` reads them back."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, [*TEXTS, *LIST_FIELDS], quoting=csv.QUOTE_ALL)
    writer.writeheader()
    for sample in samples:
        row = to_row(sample)
        writer.writerow(
            row | {f: json.dumps(row[f], ensure_ascii=False) if row[f] else "" for f in LIST_FIELDS}
        )
    return text.getvalue().encode()


def decode_text(content: bytes, name: str) -> str:
    """A file's text; a ``DatasetError`` when it is not UTF-8 or holds nothing."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DatasetError(
            f'The file "{name}" is not UTF-8 (byte {error.start:,}); save it as UTF-8.'
        ) from None
    if not text.strip():
        raise DatasetError(f'The file "{name}" is empty; it needs at least one row.')
    return text


def _jsonl_rows(text: str, name: str) -> list[tuple[str, Any]]:
    rows = []
    for number, line in enumerate(
        text.split("\n"), start=1
    ):  # JSON strings may hold the other line separators
        if line.strip():
            where = f'Line {number} of "{name}"'
            rows.append((where, _json(line, where)))
    return rows


def _json_rows(text: str, name: str) -> list[tuple[str, Any]]:
    try:
        whole = json.loads(text)
    except json.JSONDecodeError as error:
        if error.msg == "Extra data":  # the TOFU files are JSON lines under a .json name
            return _jsonl_rows(text, name)
        raise DatasetError(
            f'The file "{name}" is no valid JSON: '
            f"{error.msg} at line {error.lineno}, character {error.colno}."
        ) from None
    except (ValueError, RecursionError) as error:
        raise DatasetError(f'The file "{name}" is no valid JSON: {error}.') from None
    if isinstance(whole, Mapping):
        whole = whole.get("data", [whole])
    if not isinstance(whole, list):
        raise DatasetError(f'The file "{name}" is JSON but no list of rows.')
    return [(f'Row {number} of "{name}"', row) for number, row in enumerate(whole, start=1)]


def _csv_rows(text: str, name: str) -> list[tuple[str, Any]]:
    try:
        reader = csv.DictReader(io.StringIO(text), strict=True)
        rows = []
        for number, row in enumerate(reader, start=1):
            where = f'Row {number} of "{name}"'
            if None in row:
                raise DatasetError(f"{where} has more cells than the header; quote cells that hold a comma.")
            for field in LIST_FIELDS:
                if row.get(field):
                    row[field] = _json(row[field], f'{where}, column "{field}",')
            rows.append(
                (where, {key: value for key, value in row.items() if value != ""} | _empty_answer(row))
            )
        return rows
    except csv.Error as error:
        raise DatasetError(f'The file "{name}" is no valid CSV: {error}.') from None


def _empty_answer(row: Mapping[str, Any]) -> dict[str, str]:
    """Keep required cells that are empty, so that they are reported as empty and not as missing."""
    return {field: "" for field in ("question", "answer") if row.get(field) == ""}


def _json(text: str, where: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise DatasetError(f"{where} is no valid JSON: {error.msg} at character {error.colno}.") from None
    except (ValueError, RecursionError) as error:  # endless digits, endless nesting
        raise DatasetError(f"{where} is no valid JSON: {error}.") from None
