"""RWKU: knowledge about 200 real people to be forgotten (arXiv 2406.10890)."""

from __future__ import annotations

from tokenunlearn.datasets.layout import Layout, read_samples
from tokenunlearn.datasets.public import public_rows
from tokenunlearn.datasets.samples import SampleSet
from tokenunlearn.errors import DatasetError

HUB_ID = "jinzhuoran/RWKU"
PROBES = ("forget_level1", "forget_level2", "forget_level3", "neighbor_level1", "neighbor_level2")
PASSAGES = (
    "train_original_passage",
    "train_positive_llama3",
    "train_negative_llama3",
    "train_positive_phi3",
    "train_negative_phi3",
)
QUESTIONS, DOCUMENTS = Layout({"question": "query", "answer": "answer"}), Layout({"text": "text"})


def load_rwku(what: str) -> SampleSet:
    """Probes or passages of RWKU, "forget_level2" for all people or "forget_level2/Stephen King" for one.

    Level 1 has sentences with a blank, level 2 questions, level 3 adversarial questions. The passages are
    documents.

    Raises:
        DatasetError: If there is no such part or person, or neither a local file nor the hub has it.
    """
    part, _, subject = what.partition("/")
    if part not in PROBES + PASSAGES:
        raise DatasetError(f'There is no split "{part}" of RWKU; use one of {", ".join(PROBES + PASSAGES)}.')
    split = "test" if part in PROBES else "train"
    rows = public_rows(f"rwku/{part}.json", HUB_ID, part, split)
    if subject:
        rows = [(where, row) for where, row in rows if row.get("subject") == subject]
    if not rows:
        raise DatasetError(f'No row of the split "{part}" of RWKU is about "{subject}".')
    layout = QUESTIONS if part in PROBES else DOCUMENTS
    return SampleSet(f"rwku:{what}", read_samples(rows, f"RWKU's {part}", f"rwku-{part}", layout))
