"""Samples and multiple-choice questions by name: "authors:forget10", "tofu:full", "wmdp:bio"."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar

from tokenunlearn.datasets.alchemy import load_alchemy_choices, load_alchemy_documents
from tokenunlearn.datasets.choices import ChoiceSet, load_choice_file, load_mmlu, load_wmdp
from tokenunlearn.datasets.documents import load_documents
from tokenunlearn.datasets.embedded import load_authors, load_prose
from tokenunlearn.datasets.files import load_file
from tokenunlearn.datasets.samples import SampleSet
from tokenunlearn.datasets.tofu import load_tofu
from tokenunlearn.errors import DatasetError

Loaded = TypeVar("Loaded")

# A new source is one file with a loader and one line here.
SOURCES: dict[str, Callable[[str], SampleSet]] = {
    "authors": load_authors,
    "prose": load_prose,
    "tofu": load_tofu,
    "file": load_file,
    "documents": load_documents,
    "alchemy": load_alchemy_documents,
}
CHOICE_SOURCES: dict[str, Callable[[str], ChoiceSet]] = {
    "wmdp": load_wmdp,
    "mmlu": load_mmlu,
    "alchemy": load_alchemy_choices,
    "file": load_choice_file,
}


def load_samples(name: str) -> SampleSet:
    """Load samples by "source:what".

    Args:
        name: "authors:SPLIT" or "prose:SPLIT" with a split of the embedded data, "tofu:SPLIT" with a split of
            TOFU, "file:PATH" with a .jsonl, .json or .csv file, "documents:PATH" with a file of texts, or
            "alchemy:forget" or "alchemy:retain", the embedded documents.

    Raises:
        DatasetError: If the source or the split is unknown, or the file does not fit the schema.
    """
    known = "authors:forget10, authors:retain90, tofu:forget10, file:PATH, ..."
    if name.partition(":")[0] in CHOICE_SOURCES.keys() - SOURCES.keys():
        raise DatasetError(f'"{name}" holds multiple-choice questions, no samples; use {known}')
    return _load(SOURCES, name, f'Samples "{name}" are not known; use {known}')


def load_choices(name: str) -> ChoiceSet:
    """Load multiple-choice questions by "source:what".

    Args:
        name: "wmdp:bio", "wmdp:chem", "wmdp:cyber", "mmlu:SUBJECT", "mmlu:all", "alchemy:questions",
            "alchemy:neighbour_questions", "alchemy:general_questions", or "file:PATH" with a .jsonl, .json
            or .csv file.

    Raises:
        DatasetError: If the source or what is asked of it is unknown, or a row does not fit the schema.
    """
    known = "wmdp:bio, mmlu:all, file:PATH, ..."
    return _load(CHOICE_SOURCES, name, f'Multiple-choice questions "{name}" are not known; use {known}')


def _load(sources: Mapping[str, Callable[[str], Loaded]], name: str, unknown: str) -> Loaded:
    source, separator, what = name.partition(":")
    if not separator or source not in sources:
        raise DatasetError(unknown)
    return sources[source](what)
