"""Samples and multiple-choice questions by name: "authors:forget10", "tofu:full", "wmdp:bio"."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar

from tokenunlearn.datasets.alchemy import load_alchemy_choices, load_alchemy_documents
from tokenunlearn.datasets.choices import ChoiceSet, load_choice_file, load_mmlu, load_wmdp
from tokenunlearn.datasets.documents import load_documents
from tokenunlearn.datasets.embedded import LANGUAGE_SOURCES, load_authors, load_prose
from tokenunlearn.datasets.files import load_file
from tokenunlearn.datasets.hub import load_hub
from tokenunlearn.datasets.knowundo import load_knowundo
from tokenunlearn.datasets.layout import with_layout
from tokenunlearn.datasets.muse import load_muse
from tokenunlearn.datasets.rwku import load_rwku
from tokenunlearn.datasets.samples import SampleSet
from tokenunlearn.datasets.tofu import load_tofu
from tokenunlearn.errors import DatasetError
from tokenunlearn.settings import shortened

Loaded = TypeVar("Loaded")

# A new source is one file with a loader and one line here.
SOURCES: dict[str, Callable[[str], SampleSet]] = {
    "authors": load_authors,
    "prose": load_prose,
    **LANGUAGE_SOURCES,
    "tofu": load_tofu,
    "muse": load_muse,
    "rwku": load_rwku,
    "knowundo": load_knowundo,
    "file": load_file,
    "hf": load_hub,
    "documents": load_documents,
    "alchemy": load_alchemy_documents,
}
CHOICE_SOURCES: dict[str, Callable[[str], ChoiceSet]] = {
    "wmdp": load_wmdp,
    "mmlu": load_mmlu,
    "alchemy": load_alchemy_choices,
    "file": load_choice_file,
}

# Source -> its split that no model of the benchmark was trained on, where a mean over it says something:
# German and Japanese have 18 such samples, about three people.
HOLDOUTS = {"authors": "holdout", "prose": "holdout", "tofu": "holdout10"}


def holdout_of(name: str) -> str:
    """Name of the samples that are asked like those of a name and that no model has seen; "" without any."""
    source, _, split = name.partition(":")
    holdout = HOLDOUTS.get(source, split)
    return f"{source}:{holdout}" if holdout != split else ""


def load_samples(
    name: str, columns: Mapping[str, str] | None = None, *, all_turns: bool = False
) -> SampleSet:
    """Load samples by "source:what".

    Args:
        name: "authors:SPLIT", "prose:SPLIT", "german:SPLIT" or "japanese:SPLIT" with a split of the embedded
            data, "alchemy:forget" or "alchemy:retain", the embedded documents; "tofu:SPLIT",
            "muse:news/forget", "rwku:forget_level2/SUBJECT" or "knowundo:copyright/unlearn" with a split of a
            public benchmark; "file:PATH" with a file of your own, "documents:PATH" with a file of texts, or
            "hf:OWNER/NAME[CONFIG]:SPLIT" with a set on the hub.
        columns: Field -> column of a file or a set on the hub, ``{"question": "instruction"}``, where a
            column has none of the usual names. It becomes part of the set's name,
            "file:my.jsonl?question=instruction", which loads the same samples again.
        all_turns: Make a sample of every assistant turn of a conversation, not of the last one alone.

    Raises:
        DatasetError: If the source or the split is unknown, or the rows do not fit the schema.
    """
    known = "authors:forget10, authors:retain90, tofu:forget10, file:PATH, ..."
    name = _text(name)
    if name.partition(":")[0] in CHOICE_SOURCES.keys() - SOURCES.keys():
        raise DatasetError(f'"{name}" holds multiple-choice questions, not samples; use {known}')
    if columns or all_turns:
        name = with_layout(name, columns or {}, all_turns=all_turns)
    return _load(SOURCES, name, f'Unknown samples "{name}"; use {known}')


def load_choices(name: str) -> ChoiceSet:
    """Load multiple-choice questions by "source:what".

    Args:
        name: "wmdp:bio", "wmdp:chem", "wmdp:cyber", "mmlu:SUBJECT", "mmlu:all", "alchemy:questions",
            "alchemy:neighbour_questions", "alchemy:general_questions", or "file:PATH" with a .jsonl, .json
            or .csv file.

    Raises:
        DatasetError: If the source or what is asked of it is unknown, or a row does not fit the schema.
    """
    known, name = "wmdp:bio, mmlu:all, file:PATH, ...", _text(name)
    return _load(CHOICE_SOURCES, name, f'Unknown multiple-choice questions "{name}"; use {known}')


def _text(name: object) -> str:
    """A name as text; anything else, such as a path, is a name that no source has."""
    return name if isinstance(name, str) else shortened(name)


def _load(sources: Mapping[str, Callable[[str], Loaded]], name: str, unknown: str) -> Loaded:
    source, separator, what = name.partition(":")
    if not separator or source not in sources:
        raise DatasetError(unknown)
    return sources[source](what)
