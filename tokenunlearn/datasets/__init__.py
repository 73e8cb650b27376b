"""Samples by name: ``load_samples("authors:forget10")``, ``load_samples("file:my.jsonl")``."""

from __future__ import annotations

from tokenunlearn.datasets.embedded import load_authors
from tokenunlearn.datasets.files import load_file
from tokenunlearn.datasets.tofu import load_tofu
from tokenunlearn.errors import DatasetError
from tokenunlearn.samples import SampleSet

# A new source is one file with a loader and one line here.
SOURCES = {"authors": load_authors, "tofu": load_tofu, "file": load_file}


def load_samples(name: str) -> SampleSet:
    """Load samples by "source:what".

    Args:
        name: "authors:SPLIT" with a split of the embedded data, or "file:PATH" with a .jsonl, .json or .csv
            file.

    Raises:
        DatasetError: If the source or the split is unknown, or the file does not fit the schema.
    """
    source, separator, what = name.partition(":")
    if not separator or source not in SOURCES:
        raise DatasetError(
            f'Samples "{name}" are not known; use authors:forget10, authors:retain90, file:PATH, ...'
        )
    return SOURCES[source](what)
