"""MUSE: news articles and novels to be forgotten, with questions about them (arXiv 2407.06460)."""

from __future__ import annotations

from tokenunlearn.datasets.layout import Layout, read_samples
from tokenunlearn.datasets.public import public_rows
from tokenunlearn.datasets.samples import SampleSet
from tokenunlearn.errors import DatasetError

CORPORA = {"news": "muse-bench/MUSE-News", "books": "muse-bench/MUSE-Books"}
FOLDS = tuple(f"forget_{number}" for number in range(1, 5))
# Subset -> its splits. "scal" and "sust" are of the news alone.
SUBSETS: dict[str, tuple[str, ...]] = {
    "raw": ("forget", "retain1", "retain2", "holdout"),
    "knowmem": ("forget_qa", "retain_qa", "forget_qa_icl", "retain_qa_icl"),
    "verbmem": ("forget",),
    "privleak": ("forget", "retain", "holdout"),
    "train": ("forget", "retain1", "retain2"),
    "scal": FOLDS,
    "sust": FOLDS,
}
LAYOUTS = {
    "knowmem": Layout({"question": "question", "answer": "answer"}),
    "verbmem": Layout({"question": "prompt", "answer": "gt"}),
}
DOCUMENTS = Layout({"text": "text"})


def load_muse(what: str) -> SampleSet:
    """A split of MUSE, "news/forget" or "books/knowmem/forget_qa"; without a subset it is of "raw".

    "knowmem" holds questions with answers, "verbmem" beginnings of passages with their continuations, every
    other subset documents.

    Raises:
        DatasetError: If there is no such split, or neither a local file nor the hub has it.
    """
    corpus, *parts = what.split("/")
    subset, split = parts if len(parts) == 2 else ("raw", "/".join(parts))
    if corpus not in CORPORA or split not in SUBSETS.get(subset, ()):
        raise DatasetError(
            f'There is no "{what}" in MUSE; use news/forget, books/retain1, news/knowmem/forget_qa, ...'
        )
    rows = public_rows(f"muse/{corpus}/{subset}/{split}.json", CORPORA[corpus], subset, split)
    stem = f"muse-{corpus}-{subset}-{split}"
    return SampleSet(
        f"muse:{what}", read_samples(rows, f"MUSE's {subset}", stem, LAYOUTS.get(subset, DOCUMENTS))
    )
