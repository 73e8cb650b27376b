"""Samples from files and uploads, and back to files."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Iterable
from pathlib import Path

from tokenunlearn.datasets.layout import Layout, read_samples, split_options
from tokenunlearn.datasets.rows import parse_rows, read_file, split_ending
from tokenunlearn.datasets.samples import Sample, SampleSet
from tokenunlearn.datasets.schema import LISTS, TEXTS, features, to_row


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


def to_dataset(samples: Iterable[Sample]):  # type: ignore[no-untyped-def]
    """Samples as a ``datasets.Dataset`` of the one schema, for export and for other tools."""
    from datasets import Dataset

    return Dataset.from_list([to_row(sample) for sample in samples], features=features())


def to_jsonl(samples: Iterable[Sample]) -> bytes:
    """Samples as JSON lines in UTF-8, which :func:`parse_samples` reads back unchanged."""
    return "".join(json.dumps(to_row(s), ensure_ascii=False) + "\n" for s in samples).encode()


def content_hash(samples: Iterable[Sample]) -> str:
    """The sha256 of samples as :func:`to_jsonl` writes them, whatever file or set they came from."""
    return hashlib.sha256(to_jsonl(samples)).hexdigest()


def to_csv(samples: Iterable[Sample]) -> bytes:
    """Samples as CSV in UTF-8, lists as JSON in their cells; :func:`parse_samples` reads them back."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, [*TEXTS, *LISTS], quoting=csv.QUOTE_ALL)
    writer.writeheader()
    for sample in samples:
        row = to_row(sample)
        writer.writerow(row | {f: json.dumps(row[f], ensure_ascii=False) if row[f] else "" for f in LISTS})
    return text.getvalue().encode()
