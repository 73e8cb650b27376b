"""Samples from files and uploads, and back to files."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path

from tokenunlearn import spreadsheets
from tokenunlearn.datasets.layout import Layout, read_samples, split_options
from tokenunlearn.datasets.rows import parse_rows, read_file, split_ending
from tokenunlearn.datasets.samples import Sample, SampleSet
from tokenunlearn.datasets.schema import LISTS, WRITTEN, to_row


def load_file(path: str | Path) -> SampleSet:
    """Read samples from a file, "my.jsonl" or, with its columns, "my.jsonl?question=frage&answer=antwort".

    Raises:
        DatasetError: If the file is missing, or anything :func:`parse_samples` refuses.
    """
    place, layout = split_options(str(path))
    return SampleSet(f"file:{path}", parse_samples(read_file(place), Path(place).name, layout))


def parse_samples(content: bytes, name: str, layout: Layout | None = None) -> tuple[Sample, ...]:
    """Samples from the bytes of a file or an upload.

    Args:
        content: The whole file; text is UTF-8.
        name: Its name; the ending says the format.
        layout: Which column holds what, and which turns are answers; by default the usual names and the last
            turn.

    Raises:
        DatasetError: One sentence naming the file, the row and what is expected: anything
            :func:`~tokenunlearn.datasets.rows.parse_rows` or
            :func:`~tokenunlearn.datasets.layout.read_samples` refuses.
    """
    return read_samples(parse_rows(content, name), f'the file "{name}"', split_ending(name)[0], layout)


def to_jsonl(samples: Iterable[Sample]) -> bytes:
    """Samples as JSON lines in UTF-8, which :func:`parse_samples` reads back unchanged."""
    given = ({name: v for name, v in to_row(s).items() if v is not None} for s in samples)
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in given).encode()


def samples_hash(samples: Iterable[Sample]) -> str:
    """sha256 over everything that the samples hold, in order; 64 hex digits."""
    return hashlib.sha256(to_jsonl(samples)).hexdigest()


def to_csv(samples: Iterable[Sample]) -> bytes:
    """Samples as CSV in UTF-8, lists as JSON in their cells; :func:`parse_samples` reads them back."""
    rows = list(map(to_row, samples))
    written = (
        row | {name: json.dumps(row[name], ensure_ascii=False) if row[name] else "" for name in LISTS}
        for row in rows
    )
    columns = WRITTEN if any(row["chunk_tokens"] for row in rows) else WRITTEN[:-1]
    return spreadsheets.to_csv(written, columns, quoted=True).encode()
