"""Depth maps: unlearning depth of each sample by layer and gold token, in memory and on disk."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import TypedDict

import numpy as np
from jaxtyping import Float

from tokenunlearn.errors import FileError
from tokenunlearn.evaluation.metrics.depth import depth_map, depth_score
from tokenunlearn.files import write_json
from tokenunlearn.stored import read_json


class _MapValues(TypedDict):
    sample_id: str
    question: str
    texts: list[str]
    layers: list[int]
    nll: list[float]
    lost: list[list[float]]
    lost_retrained: list[list[float]]


@dataclass(frozen=True, eq=False)
class DepthMap:
    """What patching shows of one sample. G gold tokens, R layers.

    Attributes:
        sample_id: The sample's id.
        question: Its question.
        texts: (G,) texts of the gold tokens.
        layers: (R,) the patched layers, counted from 0.
        nll: (G,) token NLL l_t of the start model, in nats.
        lost: (R, G) how much less log-probability the start model gives each gold token when the states that
            a layer puts out where the gold tokens are predicted are the unlearned model's, in nats.
        lost_retrained: (R, G) the same with the retrained model's states.
    """

    sample_id: str
    question: str
    texts: tuple[str, ...]
    layers: tuple[int, ...]
    nll: Float[np.ndarray, " tokens"]
    lost: Float[np.ndarray, "layers tokens"]
    lost_retrained: Float[np.ndarray, "layers tokens"]

    @cached_property
    def covered(self) -> Float[np.ndarray, "layers tokens"]:
        """(R, G) share of the way from start to retrained model, see :func:`depth_map`."""
        return depth_map(self.lost, self.lost_retrained)

    @cached_property
    def score(self) -> float | None:
        """The sample's depth over all layers, see :func:`depth_score`."""
        return depth_score(self.lost, self.lost_retrained)


def save_depth(maps: Sequence[DepthMap], path: str | Path) -> None:
    """Write depth maps as JSON."""
    rows = [
        {k: v.round(5).tolist() if isinstance(v, np.ndarray) else v for k, v in asdict(m).items()}
        for m in maps
    ]
    write_json(Path(path), rows)


def load_depth(path: str | Path) -> list[DepthMap]:
    """Read what :func:`save_depth` wrote.

    Raises:
        FileError: If there is no such file or it holds something else.
    """
    rows: list[_MapValues] = read_json(Path(path), list[_MapValues])
    maps = []
    for row in rows:
        shape = len(row["layers"]), len(row["texts"])
        nll, lost, retrained = (_array(row[name]) for name in ("nll", "lost", "lost_retrained"))
        if not shape[1:] == nll.shape or not shape == lost.shape == retrained.shape:
            raise FileError(f"{Path(path).name} must have a number for each layer and token.")
        texts, layers = tuple(row["texts"]), tuple(row["layers"])
        maps.append(DepthMap(row["sample_id"], row["question"], texts, layers, nll, lost, retrained))
    return maps


def _array(rows: Sequence[float] | Sequence[Sequence[float]]) -> np.ndarray:
    try:
        return np.array(rows, dtype=float)
    except ValueError:  # rows of unequal length
        return np.empty(0)
