"""What is retained is counted row by row, not as a ratio of two shares."""

from __future__ import annotations

import pytest

from tokenunlearn.datasets.samples import SampleSet
from tokenunlearn.evaluation.measurement import Part
from tokenunlearn.evaluation.metrics.metric import Column, Comparison, LeftOut
from tokenunlearn.evaluation.metrics.retained_pairs import RETAINED_PAIRS, pair_results, right_pairs
from tokenunlearn.evaluation.result import wilson_interval


def test_a_fact_lost_is_not_made_up_for_by_a_new_one():
    start, now = [1.0, 1.0, 0.0, 0.5], [1.0, 0.0, 1.0, 1.0]
    kept, gained = pair_results("retain", "abcd", now, start, [1.0, 1.0, 0.0, 0.0])
    assert (kept.name, kept.value, kept.n, kept.retrained) == ("retain/retained_pairs", 0.5, 2, 1.0)
    assert (gained.name, gained.value, gained.n, gained.retrained) == ("retain/gained_pairs", 1.0, 2, 0.0)
    assert kept.rows == (1.0, 0.0, None, None) and kept.interval == wilson_interval(1, 2)


def test_half_a_fact_is_not_right_and_missing_rows_do_not_count():
    assert right_pairs([0.5, None, 1.0], [1.0, 1.0, None], before=True) == [0.0, None, None]


def test_nothing_right_at_the_start_leaves_the_share_out():
    (gained,) = pair_results("retain", "ab", [0.0, 1.0], [0.0, 0.0], None)
    assert (gained.name, gained.value, gained.retrained) == ("retain/gained_pairs", 0.5, None)


def case(start):
    column = Column((1.0, 0.0), ("a", "b"), "higher")
    parts = {"retain": Part(SampleSet("r", ()), "retain")}
    return Comparison(parts, {"retain/gold_span": column}, None, start, {}, {}, None)


def test_pairs_are_matched_by_id():
    start = {"retain/gold_span": Column((1.0, 1.0, 0.0), ("b", "c", "a"), "higher")}
    kept, gained = RETAINED_PAIRS.of(case(start))
    assert (kept.value, kept.n, gained.value, gained.n) == (0.0, 1, 1.0, 1)


def test_without_a_start_model_there_are_no_pairs():
    assert RETAINED_PAIRS.of(case(None)) == []


def test_a_start_model_measured_on_other_rows_is_said():
    other = {"retain/gold_span": Column((1.0,), ("z",), "higher")}
    with pytest.raises(LeftOut, match="has none of these rows"):
        RETAINED_PAIRS.of(case(other))
