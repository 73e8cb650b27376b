"""The embedded data: fictional authors, prose, and people in other languages, all with gold spans."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache, partial

from tokenunlearn.datasets.samples import Sample, SampleSet
from tokenunlearn.datasets.schema import to_sample
from tokenunlearn.errors import DatasetError
from tokenunlearn.folders import ASSETS

QUESTIONS_PER_AUTHOR = 12
TRAINED_AUTHORS = 60
HOLDOUT_AUTHORS = 6

# Ranges of authors; each has QUESTIONS_PER_AUTHOR rows in the file, in order.
AUTHOR_SPLITS: dict[str, tuple[int, int]] = {
    "full": (0, TRAINED_AUTHORS),
    "retain95": (0, 57),
    "forget05": (57, TRAINED_AUTHORS),
    "retain90": (0, 54),
    "forget10": (54, TRAINED_AUTHORS),
    "holdout": (TRAINED_AUTHORS, TRAINED_AUTHORS + HOLDOUT_AUTHORS),
}


# Subjects of each domain of the prose world, in order, and the rows of each.
PROSE_SUBJECTS, PROSE_DOMAINS, ROWS_PER_SUBJECT = 19, 4, 6
PROSE_SPLITS: dict[str, tuple[int, int]] = {
    "full": (0, 15),
    "retain": (0, 11),
    "forget": (11, 15),
    "holdout": (15, PROSE_SUBJECTS),
}

# Ranges of the people of each language's world; each has ROWS_PER_SUBJECT rows, in order.
LANGUAGE_SPLITS: dict[str, tuple[int, int]] = {
    "full": (0, 27),
    "retain": (0, 18),
    "forget": (18, 27),
    "holdout": (27, 30),
}


def load_prose(split: str) -> SampleSet:
    """A split of the prose world: free prose on people, firms, patients and software, with facts in it.

    "forget" holds four subjects of each domain, "retain" the other eleven, "full" all fifteen; "holdout"
    holds four more, which are in no training set.

    Raises:
        DatasetError: If there is no such split.
    """
    if split not in PROSE_SPLITS:
        raise DatasetError(f'There is no split "{split}" of the prose; use one of {", ".join(PROSE_SPLITS)}.')
    first, last = (subject * ROWS_PER_SUBJECT for subject in PROSE_SPLITS[split])
    rows, size = _rows("prose"), PROSE_SUBJECTS * ROWS_PER_SUBJECT
    parts = (rows[start + first : start + last] for start in range(0, PROSE_DOMAINS * size, size))
    return SampleSet(f"prose:{split}", tuple(row for part in parts for row in part))


def load_authors(split: str) -> SampleSet:
    """A split of the fictional authors.

    forget05 and forget10 hold the last 3 and 6 of the 60 trained authors, retain95 and retain90 the others;
    "full" is all 60; "holdout" holds 6 authors in no training set. "world_facts" and "real_authors" are what
    else the demo models know.

    Raises:
        DatasetError: If there is no such split.
    """
    if split in ("world_facts", "real_authors"):
        return SampleSet(f"authors:{split}", _rows(split))
    if split not in AUTHOR_SPLITS:
        known = ", ".join([*AUTHOR_SPLITS, "world_facts", "real_authors"])
        raise DatasetError(f'There is no split "{split}" of the authors; use one of {known}.')
    first, last = (author * QUESTIONS_PER_AUTHOR for author in AUTHOR_SPLITS[split])
    return SampleSet(f"authors:{split}", _rows("authors")[first:last])


def load_language(language: str, split: str) -> SampleSet:
    """A split of the fictional people described in another language.

    "forget" holds nine of the 27 people that the language's model is trained on, "retain" the other eighteen,
    "full" all; "holdout" holds three in no training set.

    Args:
        language: "german" or "japanese".
        split: One of these.

    Raises:
        DatasetError: If there is no such split.
    """
    if split not in LANGUAGE_SPLITS:
        known = ", ".join(LANGUAGE_SPLITS)
        raise DatasetError(f'There is no split "{split}" of the {language} people; use one of {known}.')
    first, last = (person * ROWS_PER_SUBJECT for person in LANGUAGE_SPLITS[split])
    return SampleSet(f"{language}:{split}", _rows(language)[first:last])


LANGUAGE_SOURCES: dict[str, Callable[[str], SampleSet]] = {
    language: partial(load_language, language) for language in ("german", "japanese")
}


@cache
def _rows(name: str) -> tuple[Sample, ...]:
    path = ASSETS / "data" / f"{name}.jsonl"
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return tuple(to_sample(row, f"row {i} of {path.name}", f"{name}-{i:04d}") for i, row in enumerate(rows))
