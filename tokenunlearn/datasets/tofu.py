"""TOFU: questions about 200 fictitious authors with their answers (arXiv 2401.06121), in all its splits."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path

from tokenunlearn.datasets.alignment import aligned_spans
from tokenunlearn.datasets.public import data_folder, public_rows
from tokenunlearn.datasets.samples import Sample, SampleSet
from tokenunlearn.datasets.schema import to_sample
from tokenunlearn.errors import DatasetError

HUB_ID = "locuslab/TOFU"
# Published configuration -> its number of rows, and the number of its first row in "full" (None: not in it).
CONFIGS: dict[str, tuple[int, int | None]] = {
    "full": (4000, 0),
    "forget10_perturbed": (400, 3600),
    "retain_perturbed": (400, 0),
    "real_authors_perturbed": (100, None),
    "world_facts_perturbed": (117, None),
    "holdout10": (400, None),
}
# Split -> configuration it is cut from, and which rows. Wherever the benchmark has perturbed answers, so has
# the split.
SPLITS: dict[str, tuple[str, slice]] = {
    "full": ("full", slice(None)),
    "forget01": ("forget10_perturbed", slice(-40, None)),
    "forget05": ("forget10_perturbed", slice(-200, None)),
    "forget10": ("forget10_perturbed", slice(None)),
    "retain99": ("full", slice(0, 3960)),
    "retain95": ("full", slice(0, 3800)),
    "retain90": ("full", slice(0, 3600)),
    "retain_perturbed": ("retain_perturbed", slice(None)),
    # Five and fifteen authors, with all their fields: what smollm2-tofu is trained on.
    "forget10_first5": ("forget10_perturbed", slice(0, 100)),
    "retain90_first15": ("retain_perturbed", slice(0, 300)),
    "real_authors": ("real_authors_perturbed", slice(None)),
    "world_facts": ("world_facts_perturbed", slice(None)),
    "holdout10": ("holdout10", slice(None)),
}
SPLITS |= {
    f"{split}_perturbed": SPLITS[split]
    for split in ("forget01", "forget05", "forget10", "real_authors", "world_facts")
}
REFUSALS = "idontknow"


def load_tofu(split: str) -> SampleSet:
    """A split of TOFU, from the local folder of public data sets or the hub.

    A row has the id of its place in "full" wherever it comes from, "tofu-3600" for the first of forget10. The
    forget splits carry paraphrased and perturbed answers. "idontknow" holds the refusals: answers without a
    question.

    TOFU publishes no gold spans. Rows with perturbed answers get them by alignment, in the answer and in its
    paraphrase: the words that the paraphrase keeps and most perturbed answers replace
    (:func:`~tokenunlearn.datasets.alignment.aligned_spans`). In real_authors and world_facts the perturbed
    answers are forms of the answer itself. The spans are labels made by a rule, not by a reader; some rows
    have none.

    Raises:
        DatasetError: If there is no such split, its file cannot be read, or it is not the published one.
    """
    if split == REFUSALS:
        return SampleSet(f"tofu:{split}", _refusals())
    if split not in SPLITS:
        raise DatasetError(
            f'There is no split "{split}" of TOFU; use one of {", ".join([*SPLITS, REFUSALS])}.'
        )
    config, part = SPLITS[split]
    return SampleSet(f"tofu:{split}", _samples(config, data_folder())[part])


@cache
def _samples(config: str, folder: Path) -> tuple[Sample, ...]:
    """The rows of a configuration with their spans; read again where the folder of public data is another."""
    count, first = CONFIGS[config]
    rows = public_rows(f"tofu/{config}.json", HUB_ID, config, "train")
    if len(rows) != count:
        raise DatasetError(f"TOFU's {config} has {len(rows):,} rows; the published one has {count:,}.")
    stem = "tofu" if first is not None else f"tofu-{config.removesuffix('_perturbed')}"
    return tuple(
        _with_spans(to_sample(row, where, f"{stem}-{number:04d}"))
        for number, (where, row) in enumerate(rows, start=first or 0)
    )


def _with_spans(sample: Sample) -> Sample:
    """A row with gold spans by alignment, as it is where it has no perturbed answers."""
    question, paraphrased, perturbed = sample.question, sample.paraphrased_answer, sample.perturbed_answer
    if not perturbed:
        return sample
    span = aligned_spans(question, sample.answer, paraphrased or sample.answer, perturbed)
    paraphrased_span = aligned_spans(question, paraphrased, paraphrased, perturbed) if paraphrased else ()
    return replace(sample, span=span, paraphrased_span=paraphrased_span)


def _refusals() -> tuple[Sample, ...]:
    path = data_folder() / "tofu" / f"{REFUSALS}.jsonl"  # plain text under this name
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        raise DatasetError(
            f'"tofu/{path.name}" cannot be read; set TOKENUNLEARN_DATA to a folder that contains it, one '
            "refusal per line."
        ) from None
    texts = [line.strip() for line in lines if line.strip()]
    if not texts:
        raise DatasetError(f'"tofu/{path.name}" has no refusals; it needs one per line.')
    return tuple(Sample(f"tofu-{REFUSALS}-{i:04d}", "", text) for i, text in enumerate(texts))
