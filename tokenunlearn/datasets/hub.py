"""Any data set on the hub, through ``datasets.load_dataset``; code that comes with a data set is not run."""

from __future__ import annotations

import re

from tokenunlearn.datasets.layout import read_samples, split_options
from tokenunlearn.datasets.rows import MAX_ROWS, Rows
from tokenunlearn.datasets.samples import SampleSet
from tokenunlearn.errors import DatasetError

_NAME = re.compile(r"(?P<hub_id>\w[\w.-]*/\w[\w.-]*)(\[(?P<config>[^\[\]]+)\])?(:(?P<split>.+))?")


def load_hub(what: str) -> SampleSet:
    """Samples of a set on the hub, "owner/name", "owner/name[config]:split" or "owner/name:train[:500]".

    The split is "train" unless it is named. Columns are guessed or mapped as those of a file.

    Raises:
        DatasetError: If the name is not of this form, the hub does not answer or knows no such set, it has
            more rows than can be loaded at once, or a row does not fit.
    """
    name, layout = split_options(what)
    match = _NAME.fullmatch(name)
    if match is None:
        raise DatasetError(f'"{name}" is not a dataset on the Hub; use OWNER/NAME[CONFIG]:SPLIT.')
    hub_id, split = match["hub_id"], match["split"] or "train"
    rows = hub_rows(hub_id, match["config"], split, limit=MAX_ROWS)
    return SampleSet(f"hf:{what}", read_samples(rows, hub_id, hub_id.partition("/")[2], layout))


def hub_rows(hub_id: str, config: str | None, split: str, *, limit: int | None = None) -> Rows:
    """Rows of a split on the hub, each with what an error message calls it.

    Raises:
        DatasetError: If the hub does not answer or has no such split, or it has more than ``limit`` rows.
    """
    from datasets import load_dataset

    name = f"{hub_id} ({config})" if config else hub_id
    try:
        rows = load_dataset(hub_id, config, split=split)
    except Exception as error:  # the hub client and datasets each raise their own kinds
        reason = " ".join(str(error).split())[:120].rstrip(" .")
        raise DatasetError(
            f"{name} could not be downloaded from the Hub ({type(error).__name__}: {reason})."
        ) from error
    if limit is not None and len(rows) > limit:
        raise DatasetError(
            f"{name} has {len(rows):,} rows; at most {limit:,} can be loaded at once, e.g. {split}[:{limit}]."
        )
    return [(f"Row {number} of {name}", row) for number, row in enumerate(rows, start=1)]
