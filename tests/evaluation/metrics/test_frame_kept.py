"""The share of the sentence frame that an answer keeps."""

from __future__ import annotations

from itertools import combinations

import pytest

from tokenunlearn.datasets.samples import Sample
from tokenunlearn.evaluation.metrics.frame_kept import common_words, frame_kept

SAMPLE = Sample("s", "Where?", "Ada was born in Graz, by the sea.", span=((16, 20),))


@pytest.mark.parametrize(
    ("answer", "share"),
    [
        ("ADA was born in Oslo by the sea", 1.0),  # the fact may change
        ("Graz", 0.0),  # the fact is not part of the frame
        ("sea the by in born was Ada", 1 / 7),  # order counts
        ("Ada was born", 3 / 7),
        ("", 0.0),
    ],
)
def test_frame_is_kept_in_order_around_the_fact(answer, share):
    assert frame_kept(SAMPLE, answer) == pytest.approx(share)


def test_no_value_without_spans_or_without_a_frame():
    assert frame_kept(Sample("s", "Where?", "In Graz."), "In Graz.") is None
    assert frame_kept(Sample("s", "Where?", "Graz.", span=((0, 4),)), "Graz.") is None


def test_common_words_equal_all_subsequences():
    a, b = "abcabd", "bacdba"
    subsequences = ({tuple(c) for n in range(7) for c in combinations(text, n)} for text in (a, b))
    first, second = subsequences
    assert common_words(a, b) == max(len(common) for common in first & second)
