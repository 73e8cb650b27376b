"""What a run did to every response token: NLL and rank before and after, next to its weight."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tokenunlearn.errors import FileError
from tokenunlearn.files import replaced
from tokenunlearn.stored import read_table

if TYPE_CHECKING:
    from tokenunlearn.models.encoding import Encoding
    from tokenunlearn.models.forward import Progress
    from tokenunlearn.models.loaded_model import LoadedModel

EMPHASIZED = 1.0


@dataclass(frozen=True, eq=False)
class TokenChange:
    """The response tokens of one sample before and after a run. T response tokens, end of turn included.

    Attributes:
        sample_id: The sample's id.
        question: Its question.
        texts: (T,) texts of the response tokens.
        weights: (T,) weights w_t the run trained with; of a weighting that changes from step to step, their
            mean over the steps that read the sample.
        nll_before: (T,) token NLL l_t of the reference model, in nats.
        nll_after: (T,) of the unlearned model.
        rank_before: (T,) rank of the true token in the reference model's prediction; 1 is the most probable.
        rank_after: (T,) of the unlearned model.
    """

    sample_id: str
    question: str
    texts: tuple[str, ...]
    weights: np.ndarray
    nll_before: np.ndarray
    nll_after: np.ndarray
    rank_before: np.ndarray
    rank_after: np.ndarray

    @property
    def change(self) -> np.ndarray:
        """(T,) change of each token's log-probability, in nats; negative where it was forgotten."""
        return self.nll_before - self.nll_after

    @property
    def emphasized(self) -> np.ndarray:
        """(T,) tokens with a weight of at least 1: the selected ones, or those weighted above the mean."""
        return self.weights >= EMPHASIZED


def token_changes(
    before: LoadedModel,
    after: LoadedModel,
    encodings: Sequence[Encoding],
    weights: Sequence[np.ndarray] | None = None,
    progress: Progress | None = None,
) -> list[TokenChange]:
    """NLL and rank of every response token under two models, one :class:`TokenChange` a sample.

    Args:
        before: The reference model.
        after: The unlearned model; it reads the same tokens.
        encodings: Samples of the forget set.
        weights: (T_i,) for each sample; None weights every response token alike.
        progress: Called with samples done and in all, both models together.
    """
    from tokenunlearn.models.forward import response_nll_and_rank

    count = len(encodings)

    def share(offset: int) -> Progress | None:
        return progress and (lambda done, _: progress(offset + done, 2 * count))

    old = response_nll_and_rank(before, encodings, progress=share(0))
    new = response_nll_and_rank(after, encodings, progress=share(count))
    if weights is None:
        weights = [np.ones(e.response_length) for e in encodings]
    return [
        TokenChange(
            sample_id=e.sample_id,
            question=e.question,
            texts=e.response_texts,
            weights=np.asarray(w, dtype=np.float32),
            nll_before=nll_before.numpy(),
            nll_after=nll_after.numpy(),
            rank_before=rank_before.numpy(),
            rank_after=rank_after.numpy(),
        )
        for e, w, (nll_before, rank_before), (nll_after, rank_after) in zip(
            encodings, weights, old, new, strict=True
        )
    ]


def summarize(changes: Sequence[TokenChange]) -> list[dict[str, Any]]:
    """Emphasized and other tokens in two rows: did the first go, did the second stay?

    Each row holds the group, tokens (their number), samples (those that have such tokens), the median change
    of log-probability in nats with the range of the middle 80 % (low, high), and the median rank before and
    after. A group without tokens is left out.
    """
    rows = []
    for group, inside in (("weight ≥ 1", True), ("weight < 1", False)):
        masks = [c.emphasized == inside for c in changes]
        if not any(m.any() for m in masks):
            continue

        def pooled(values: Sequence[np.ndarray], masks: Sequence[np.ndarray] = masks) -> np.ndarray:
            return np.concatenate([v[m] for v, m in zip(values, masks, strict=True)])

        change = pooled([c.change for c in changes])
        low, median, high = np.quantile(change, (0.1, 0.5, 0.9))
        rows.append(
            {
                "group": group,
                "tokens": len(change),
                "samples": sum(bool(m.any()) for m in masks),
                "change": float(median),
                "low": float(low),
                "high": float(high),
                "rank_before": float(np.median(pooled([c.rank_before for c in changes]))),
                "rank_after": float(np.median(pooled([c.rank_after for c in changes]))),
            }
        )
    return rows


def save_changes(changes: Sequence[TokenChange], path: str | Path) -> Path:
    """Write token changes as parquet, one row a sample."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    with replaced(path) as file:
        table = pa.Table.from_pylist([asdict(c) for c in changes])
        pq.write_table(table, file, write_page_checksum=True)
    return Path(path)


def load_changes(path: str | Path) -> list[TokenChange]:
    """Read what :func:`save_changes` wrote.

    Raises:
        FileError: If there is no such file or it holds something else.
    """
    import pyarrow as pa

    path, text = Path(path), pa.string()
    arrays = {f.name: pa.list_(pa.float64()) for f in fields(TokenChange) if f.type == "np.ndarray"}
    arrays |= {name: pa.list_(pa.int64()) for name in arrays if name.startswith("rank")}
    schema = pa.schema({"sample_id": text, "question": text, "texts": pa.list_(text)} | arrays)
    rows, _ = read_table(path, schema)
    for row in rows:
        row |= {"texts": tuple(row["texts"])} | {name: np.asarray(row[name]) for name in arrays}
        if any(len(row[name]) != len(row["texts"]) for name in arrays):
            raise FileError(f"{path.name} must have a number for each token.")
    return [TokenChange(**row) for row in rows]
