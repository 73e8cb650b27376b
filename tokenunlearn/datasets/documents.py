"""Documents from a file: a .txt file is one; a file of rows holds one in the "text" of each."""

from __future__ import annotations

from pathlib import Path

from tokenunlearn.datasets.layout import Layout, read_samples, split_options
from tokenunlearn.datasets.rows import decode_text, parse_rows, read_file, split_ending
from tokenunlearn.datasets.samples import Sample, SampleSet, document


def load_documents(path: str | Path) -> SampleSet:
    """Read documents from a file; scoring and unlearning cut them into chunks of 128 tokens.

    Raises:
        DatasetError: If the file is missing, empty, not UTF-8, or a row has no text.
    """
    place, layout = split_options(str(path))
    content = read_file(place, ".txt, .jsonl, .json or .csv")
    return SampleSet(f"documents:{path}", parse_documents(content, Path(place).name, layout))


def parse_documents(content: bytes, name: str, layout: Layout | None = None) -> tuple[Sample, ...]:
    """Documents from the bytes of a file or an upload.

    Args:
        content: The whole file; text is UTF-8.
        name: Its name; the ending says the format.
        layout: The column of the texts, where it is not "text".

    Raises:
        DatasetError: One sentence that says what is wrong and where.
    """
    stem, ending = split_ending(name)
    if ending == ".txt":
        return (document(f"{stem}-0000", decode_text(content, name)),)
    columns = {"text": "text", **(layout or Layout()).columns}
    return read_samples(parse_rows(content, name), f'the file "{name}"', stem, Layout(columns))
