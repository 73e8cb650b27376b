"""Documents from a file: a .txt file is one; .jsonl, .json and .csv hold one in the "text" of each row."""

from __future__ import annotations

from pathlib import Path

from tokenunlearn.datasets.files import decode_text, parse_rows
from tokenunlearn.datasets.schema import to_text
from tokenunlearn.documents import CHUNK_TOKENS
from tokenunlearn.errors import DatasetError
from tokenunlearn.samples import Sample, SampleSet


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
    found = []
    for number, (where, row) in enumerate(parse_rows(content, name)):
        text = to_text(row.get("text"), "text", where)
        if not text.strip():
            raise DatasetError(f'{where} has no "text"; every document needs one that is not empty.')
        found.append(document(f"{stem}-{number:04d}", text))
    return tuple(found)


def document(sample_id: str, text: str) -> Sample:
    """A text as a sample without a question."""
    return Sample(sample_id, "", text, chunk_tokens=CHUNK_TOKENS)
