"""The file of a score set: parquet, a row a sample, with a header and a hash over both."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypedDict

import numpy as np

from tokenunlearn.attribution.sample_scores import OPTIONAL_ARRAYS, SampleScores
from tokenunlearn.errors import FileError, ScoreSetError
from tokenunlearn.files import replaced
from tokenunlearn.stored import fitted, parse_json, read_table

FORMAT = 3
ARRAYS = ("nll", "entropy", "tail_entropy", "losses")
FIRST_ARRAYS = ("nll", "entropy", "losses")  # of format 1
UNNEEDED = ("tail_entropy", *OPTIONAL_ARRAYS, "knowledge", "importance")  # columns a file can do without


class _Format(TypedDict):
    format: int


class _HeaderOfFormat1(TypedDict):
    source: str
    model: str
    revision: str
    masking: dict[str, Any]
    settings: dict[str, Any]
    overrides: dict[str, dict[str, bool]]
    hash: str


class _Header(_HeaderOfFormat1, total=False):
    selector: dict[str, Any] | None


def write(
    path: str | Path,
    header: Mapping[str, Any],
    samples: Sequence[SampleScores],
    columns: Mapping[str, Sequence[np.ndarray]],
) -> Path:
    """Write a file, whole or not at all.

    Args:
        path: The file.
        header: What belongs to all samples, the hash included.
        samples: A row each.
        columns: "knowledge" and "importance", (T_i,) of each sample, for readers elsewhere.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = []
    for i, x in enumerate(samples):
        row = {name: _plain(getattr(x, name)) for name in SampleScores.__dataclass_fields__}
        row["losses"] = x.losses.astype(np.float32).ravel().tolist()
        rows.append(row | {name: values[i].tolist() for name, values in columns.items()})
    optional = [n for n in OPTIONAL_ARRAYS if any(getattr(x, n) is not None for x in samples)]
    table = pa.Table.from_pylist(rows, schema=_schema(optional))
    table = table.replace_schema_metadata({"tokenunlearn": json.dumps(header, ensure_ascii=False)})
    with replaced(path) as file:
        pq.write_table(table, file, compression="zstd")
    return Path(path)


def read(path: str | Path) -> tuple[dict[str, Any], tuple[SampleScores, ...]]:
    """Header and samples of a file whose hash is right; of format 1 with the settings that it meant.

    Raises:
        ScoreSetError: If the file is missing, not a score set, of another format, or was changed.
    """
    again = "create one with: python -m tokenunlearn score."
    if not os.path.isfile(path):
        raise ScoreSetError(f'There is no score set "{path}"; {again}')
    try:
        rows, metadata = read_table(Path(path), _schema(OPTIONAL_ARRAYS), UNNEEDED)
        given = parse_json(metadata.get(b"tokenunlearn", b""), "its header")
        stored_format = fitted(given, _Format, "its header")["format"]
    except FileError as error:
        raise ScoreSetError(
            f'The file "{path}" is not a score set or damaged: {str(error)[:-1]}; {again}'
        ) from None
    if stored_format not in range(1, FORMAT + 1):
        raise ScoreSetError(
            f'The score set "{path}" has format {stored_format}; this version reads {FORMAT}.'
        )
    first = stored_format == 1
    try:
        header: dict[str, Any] = dict(fitted(given, _Header, "its header"))
        samples = tuple(_sample_scores(row) for row in rows)
        stored = {name: value for name, value in header.items() if name != "hash"}
        if digest(stored, samples, FIRST_ARRAYS if first else ARRAYS) != header["hash"]:
            raise ValueError
        settings = _settings_of_format_1(header["settings"]) if first else header["settings"]
    except (KeyError, TypeError, ValueError):
        raise damaged(path) from None
    return header | {"settings": settings}, samples


def damaged(path: str | Path) -> ScoreSetError:
    """The error of a file whose content is not what was written."""
    return ScoreSetError(f'The score set "{path}" does not match its hash; it was modified or damaged.')


def digest(header: Mapping[str, Any], samples: Sequence[SampleScores], arrays: Sequence[str] = ARRAYS) -> str:
    """sha256 over a header and measurements; 64 hex digits."""
    found = hashlib.sha256(json.dumps(header, sort_keys=True, ensure_ascii=False).encode())
    for x in samples:
        found.update(x.texts_hashed)
        for name in arrays:
            found.update(np.ascontiguousarray(getattr(x, name), dtype="<f4").tobytes())
        found.update(np.packbits(x.copied).tobytes())
        for name in OPTIONAL_ARRAYS:
            if (values := getattr(x, name)) is not None:
                found.update(name.encode() + np.ascontiguousarray(values, dtype="<f4").tobytes())
    return found.hexdigest()


def _settings_of_format_1(settings: Mapping[str, Any]) -> dict[str, Any]:
    by_word = settings["granularity"] == "word"
    return {**settings, "granularity": "highest" if by_word else "token", "reading": "plain"}


def _schema(optional: Iterable[str]):  # type: ignore[no-untyped-def]
    import pyarrow as pa

    text, texts = pa.string(), pa.list_(pa.string())
    spans, floats = pa.list_(pa.list_(pa.int32())), pa.list_(pa.float32())
    fields = {"sample_id": text, "question": text, "answer": text, "span": spans, "prompt_texts": texts}
    fields |= {"texts": texts, "token_ids": pa.list_(pa.int64()), "offsets": spans, "nll": floats}
    fields |= {
        "entropy": floats,
        "tail_entropy": floats,
        "contexts": texts,
        "losses": floats,
        "copied": pa.list_(pa.bool_()),
    }
    fields |= dict.fromkeys(optional, floats)
    return pa.schema(fields | {"knowledge": floats, "importance": floats})


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return value


def _sample_scores(row: dict[str, Any]) -> SampleScores:
    """A row of the file; a ``ValueError`` where its lists do not belong to the same tokens and contexts."""
    time = len(row["texts"])
    per_token = ("token_ids", "offsets", "copied", *ARRAYS[:3], *OPTIONAL_ARRAYS)
    lengths = {len(row[name]) for name in per_token if row.get(name) is not None}
    if lengths != {time} or len(row["losses"]) != time * len(row["contexts"]):
        raise ValueError
    if any(not 0 <= a <= b for a, b in row["offsets"]):
        raise ValueError
    optional = {name: row[name] for name in OPTIONAL_ARRAYS if row.get(name) is not None}
    return SampleScores(
        sample_id=row["sample_id"],
        question=row["question"],
        answer=row["answer"],
        span=tuple((a, b) for a, b in row["span"]),
        prompt_texts=tuple(row["prompt_texts"]),
        texts=tuple(row["texts"]),
        token_ids=tuple(row["token_ids"]),
        offsets=tuple((a, b) for a, b in row["offsets"]),
        nll=np.array(row["nll"], dtype=np.float32),
        entropy=np.array(row["entropy"], dtype=np.float32),
        tail_entropy=np.array(row.get("tail_entropy") or row["entropy"], dtype=np.float32),
        contexts=tuple(row["contexts"]),
        losses=np.array(row["losses"], dtype=np.float32).reshape(-1, time),
        copied=np.array(row["copied"], dtype=bool),
        **{name: np.array(values, dtype=np.float32) for name, values in optional.items()},
    )
