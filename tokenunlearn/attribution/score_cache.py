"""Scores on disk, one file a sample, named by the content they were measured from.

A name is the sha256 of model weights, tokenizer, system prompt, masking settings and the conversation as the
template writes it now: whatever changes a score changes the name, even the date in a prompt. What is measured
on request has files of its own, named by model weights and token ids. The least recently used files go when
the cache is full.
"""

from __future__ import annotations

import hashlib
import json
import os
import zipfile
import zlib
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, astuple, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict

import numpy as np

from tokenunlearn.errors import FileError, TokenUnlearnError
from tokenunlearn.files import replaced
from tokenunlearn.folders import cache_folder
from tokenunlearn.stored import fitted, parse_json

if TYPE_CHECKING:
    import torch

    from tokenunlearn.attribution.masking_settings import MaskingSettings
    from tokenunlearn.attribution.sample_scores import SampleScores
    from tokenunlearn.datasets.samples import Sample
    from tokenunlearn.models.encoding import Encoding
    from tokenunlearn.models.loaded_model import LoadedModel

FORMAT = 4
MEGABYTES = 1024
ARRAYS = ("nll", "entropy", "tail_entropy", "losses", "copied")
# What numpy raises at a file that is missing, cut or changed.
UNREADABLE = (
    OSError,
    EOFError,
    LookupError,
    ValueError,
    TypeError,
    RuntimeError,
    zipfile.BadZipFile,
    zlib.error,
)


class _Texts(TypedDict):
    prompt_texts: tuple[str, ...]
    texts: tuple[str, ...]
    token_ids: tuple[int, ...]
    offsets: tuple[tuple[int, int], ...]
    contexts: tuple[str, ...]


@dataclass(frozen=True)
class ScoreCache:
    """A bounded folder of scores.

    Attributes:
        folder: Where the files are; score sets made in the app lie here too and count.
        limit: Most bytes of all files together.
    """

    folder: Path
    limit: int

    @classmethod
    def default(cls) -> ScoreCache:
        """The folder ``scores`` of the cache, up to ``TOKENUNLEARN_CACHE_MB`` megabytes (1,024).

        Raises:
            TokenUnlearnError: If that variable is no whole number of at least 0.
        """
        given = os.environ.get("TOKENUNLEARN_CACHE_MB", str(MEGABYTES))
        if not given.isdecimal():
            raise TokenUnlearnError(
                f'TOKENUNLEARN_CACHE_MB is "{given}"; it must be a whole number of megabytes.'
            )
        return cls(cache_folder() / "scores", int(given) * 1_000_000)

    def path(self, key: str) -> Path:
        """File of a key."""
        return self.folder / "samples" / key[:2] / f"{key}.npz"

    def read(self, key: str, sample: Sample) -> SampleScores | None:
        """A sample's scores, or None when they are not there or cannot be read; marks them as just used."""
        from tokenunlearn.attribution.sample_scores import SampleScores

        arrays = self.read_arrays(key, ("texts", *ARRAYS))
        if arrays is None:
            return None
        try:
            texts: _Texts = fitted(parse_json(arrays.pop("texts").tobytes(), "texts"), _Texts, "texts")
        except FileError:
            return None
        return SampleScores(sample.id, sample.question, sample.answer, sample.span, **texts, **arrays)

    def write(self, key: str, scores: SampleScores) -> None:
        """Keep a sample's scores; a full or read-only disk keeps nothing and is no error."""
        texts = json.dumps({name: getattr(scores, name) for name in _Texts.__annotations__}).encode()
        arrays = {name: getattr(scores, name) for name in ARRAYS}
        self.write_arrays(key, {"texts": np.frombuffer(texts, np.uint8), **arrays})

    def read_arrays(self, key: str, names: Sequence[str]) -> dict[str, Any] | None:
        """Arrays by name, or None when they are not there or cannot be read; marks them as just used."""
        path = self.path(key)
        try:
            with np.load(path, allow_pickle=False) as file:
                arrays = {name: file[name] for name in names}
        except UNREADABLE:
            return None
        with suppress(OSError):  # a cache that may only be read is one too
            os.utime(path)
        return arrays

    def write_arrays(self, key: str, arrays: Mapping[str, np.ndarray]) -> None:
        """Keep arrays; a full or read-only disk keeps nothing and is no error."""
        with suppress(TokenUnlearnError), replaced(self.path(key), synced=False) as file:
            np.savez(file, **arrays)  # type: ignore[arg-type]

    def files(self) -> list[Path]:
        """All files, the least recently used first."""
        entries = []
        for path in self.folder.rglob("*"):
            try:
                if path.is_file():
                    entries.append((path.stat().st_mtime, path))
            except OSError:  # another process has just removed it
                continue
        return [path for _, path in sorted(entries)]

    def size(self) -> int:
        """Bytes of all files."""
        return sum(_bytes(path) for path in self.files())

    def shrink(self, limit: int | None = None) -> int:
        """Remove the least recently used files until the rest is within the limit; how many were removed."""
        files = self.files()
        sizes = [_bytes(path) for path in files]
        total, removed = sum(sizes), 0
        for path, size in zip(files, sizes, strict=True):
            if total <= (self.limit if limit is None else limit):
                break
            try:
                path.unlink(missing_ok=True)
            except OSError:  # of a cache that may only be read
                continue
            total -= size
            removed += 1
        return removed

    def clear(self) -> int:
        """Remove all files; how many were removed."""
        return self.shrink(limit=-1)


def _bytes(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def score_keys(lm: LoadedModel, samples: Sequence[Sample], masking: MaskingSettings) -> list[str]:
    """What each sample's scores are kept under, 64 hex digits."""
    settings: dict[str, Any] = asdict(masking)
    drawn = settings["mask"] == "random"  # only then do the seed, the number and the sample's id matter
    if not drawn:
        del settings["seed"], settings["subsets"]
    model: list[Any] = [lm.revision, weights_digest(lm.model), _tokenizer_digest(lm)]
    model += [lm.system_prompt, dict(lm.template_kwargs)]
    common = [FORMAT, *model, settings]
    return [
        hashlib.sha256(
            json.dumps(
                [*common, [astuple(turn) for turn in s.turns], _written(lm, s), s.id if drawn else ""],
                sort_keys=True,
            ).encode()
        ).hexdigest()
        for s in samples
    ]


def _written(lm: LoadedModel, sample: Sample) -> str | None:
    """The conversation as the template writes it, which may hold the date; None for a document."""
    return None if sample.document else lm.chat.conversation(sample.turns).text


def measurement_keys(lm: LoadedModel, encodings: Iterable[Encoding], option: str) -> list[str]:
    """What an optional measurement of each encoding by a model is kept under, 64 hex digits."""
    common = [FORMAT, option, lm.revision, weights_digest(lm.model)]
    return [
        hashlib.sha256(json.dumps([*common, e.prompt_length, e.input_ids[: len(e)]]).encode()).hexdigest()
        for e in encodings
    ]


def weights_digest(model: torch.nn.Module) -> str:
    """sha256 of the weights in memory, 64 hex digits: names, shapes, types, exact sums and some values.

    The sums are of the bits as integers, so any one changed value shows and their order does not matter; they
    take as long as reading the weights once. So a model that was trained after loading has other scores.
    """
    import torch

    bits = {1: torch.int8, 2: torch.int16, 4: torch.int32, 8: torch.int64}
    digest = hashlib.sha256()
    for name, tensor in [*model.named_parameters(), *model.named_buffers()]:
        flat = tensor.detach().contiguous().view(-1).view(bits[tensor.dtype.itemsize])
        some = flat[:: max(1, flat.numel() // 64)]
        values = [int(flat.sum(dtype=torch.int64)), *some.tolist()] if flat.numel() else []
        digest.update(json.dumps([name, str(tensor.dtype), *tensor.shape, *values]).encode())
    return digest.hexdigest()


def _tokenizer_digest(lm: LoadedModel) -> str:
    tokenizer = lm.tokenizer
    special, template = str(tokenizer.special_tokens_map), str(tokenizer.chat_template)
    parts = (tokenizer.backend_tokenizer.to_str(), template, special)
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()
