"""Character ranges and the words of a text."""

from __future__ import annotations

import numpy as np
import pytest

from tokenunlearn.datasets.samples import first_spans, in_spans, overlaps


@pytest.mark.parametrize("seed", range(20))
def test_first_spans_are_those_that_a_search_through_all_of_them_finds(seed):
    random = np.random.default_rng(seed)
    edges = sorted(random.choice(40, 12, replace=False).tolist())
    spans = list(zip(edges[::2], edges[1::2], strict=True))
    offsets = [(a, a + int(random.integers(0, 6))) for a in random.integers(0, 40, 30).tolist()]
    found = [next((i for i, span in enumerate(spans) if overlaps(o, [span])), None) for o in offsets]
    assert first_spans(offsets, spans) == found
    assert in_spans(offsets, spans) == [overlaps(o, spans) for o in offsets]
    assert first_spans(offsets, []) == [None] * len(offsets)
