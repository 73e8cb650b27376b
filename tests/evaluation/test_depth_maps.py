"""Depth maps on disk: read back as they were, refused when damaged."""

from __future__ import annotations

import json

import numpy as np
import pytest

from tokenunlearn.errors import FileError
from tokenunlearn.evaluation.depth_maps import DepthMap, load_depth, save_depth


@pytest.fixture
def maps():
    """Two maps of three layers."""
    rng = np.random.default_rng(0)
    return [
        DepthMap(str(i), "Where?", ("Tu", "rin"), (0, 2, 4), *(rng.random(s) for s in (2, (3, 2), (3, 2))))
        for i in range(2)
    ]


def test_maps_are_read_back(maps, tmp_path):
    save_depth(maps, tmp_path / "depth.json")
    for a, b in zip(maps, load_depth(tmp_path / "depth.json"), strict=True):
        assert (a.sample_id, a.question, a.texts, a.layers) == (b.sample_id, b.question, b.texts, b.layers)
        assert b.lost == pytest.approx(a.lost, abs=1e-5) and b.nll == pytest.approx(a.nll, abs=1e-5)
        assert b.score == pytest.approx(a.score, abs=1e-3)


@pytest.mark.parametrize("lost", [[[0.0], [0.0, 1.0], [0.0, 1.0]], [[0.0, 1.0]], "much"])
def test_damaged_maps_are_refused(maps, tmp_path, lost):
    path = tmp_path / "depth.json"
    save_depth(maps, path)
    first, _ = json.loads(path.read_text())
    path.write_text(json.dumps([first | {"lost": lost}]))
    with pytest.raises(FileError, match=r"depth\.json"):
        load_depth(path)
