"""Documents from a file: a .txt file is one; .jsonl, .json and .csv hold one in the "text" of each row."""

from __future__ import annotations

from pathlib import Path

from tokenunlearn.datasets.files import decode_text, parse_rows, refuse_repeated_ids
from tokenunlearn.datasets.samples import Sample, SampleSet, Span
from tokenunlearn.datasets.schema import to_spans, to_text
from tokenunlearn.errors import DatasetError

CHUNK_TOKENS = 128


def load_documents(path: str | Path) -> SampleSet:
    """Read documents from a file; scoring and unlearning cut them into chunks of 128 tokens.

    Raises:
        DatasetError: If the file is missing, empty, not UTF-8, or a row has no text.
    """
    path = Path(path).expanduser()
    if not path.is_file():
        raise DatasetError(f'There is no file "{path}"; give the path of a .txt, .jsonl, .json or .csv file.')
    return SampleSet(f"documents:{path}", parse_documents(path.read_bytes(), path.name))


def parse_documents(content: bytes, name: str) -> tuple[Sample, ...]:
    """Documents from the bytes of a file or an upload.

    Args:
        content: The whole file, UTF-8.
        name: Its name; the ending says the format.

    Raises:
        DatasetError: One sentence that says what is wrong and where.
    """
    stem = Path(name).stem
    if Path(name).suffix.lower() == ".txt":
        return (document(f"{stem}-0000", decode_text(content, name)),)
    found, ids = [], []
    for number, (where, row) in enumerate(parse_rows(content, name)):
        text = to_text(row.get("text"), "text", where)
        if not text.strip():
            raise DatasetError(f'{where} has no "text"; every document needs one that is not empty.')
        sample_id = str(row.get("id") or f"{stem}-{number:04d}")
        found.append(document(sample_id, text, to_spans(row.get("span"), text, "span", where)))
        ids.append((where, sample_id))
    refuse_repeated_ids(ids)
    return tuple(found)


def document(sample_id: str, text: str, span: tuple[Span, ...] = ()) -> Sample:
    """A text as a sample without a question."""
    return Sample(sample_id, "", text, span=span, chunk_tokens=CHUNK_TOKENS)
