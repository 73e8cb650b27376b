"""KnowUnDo: copyrighted content and private facts, next to what must be retained (arXiv 2407.01920)."""

from __future__ import annotations

from collections.abc import Mapping

from tokenunlearn.datasets.cells import to_list
from tokenunlearn.datasets.layout import Layout, read_samples
from tokenunlearn.datasets.public import public_rows
from tokenunlearn.datasets.samples import SampleSet
from tokenunlearn.errors import DatasetError

HUB_ID = "zjunlp/KnowUnDo"
DOMAINS, SPLITS, PARTS = ("copyright", "privacy"), ("unlearn", "retention"), ("train", "val")
LAYOUT = Layout({"question": "text", "answer": "labels"})


def load_knowundo(what: str) -> SampleSet:
    """Questions of KnowUnDo, "copyright/unlearn" or "privacy/retention/val"; without a part it is "train".

    A published split is one row that holds the questions of each part as a list.

    Raises:
        DatasetError: If there is no such split, neither a local file nor the hub has it, or it is not in its
            published form.
    """
    domain, _, rest = what.partition("/")
    split, _, part = rest.partition("/")
    part = part or "train"
    if domain not in DOMAINS or split not in SPLITS or part not in PARTS:
        raise DatasetError(f'There is no "{what}" in KnowUnDo; use copyright/unlearn, privacy/retention, ...')
    rows = [
        (f"{where}, {part} {number}", item)
        for where, row in public_rows(f"knowundo/{domain}/{split}.json", HUB_ID, domain, split)
        for number, item in enumerate(to_list(row.get(part), part, where), start=1)
    ]
    if not rows or not all(isinstance(item, Mapping) for _, item in rows):
        raise DatasetError(f'KnowUnDo\'s {domain} {split} has no list of questions in "{part}".')
    stem = f"knowundo-{domain}-{split}-{part}"
    return SampleSet(f"knowundo:{what}", read_samples(rows, f"KnowUnDo's {domain} {split}", stem, LAYOUT))
