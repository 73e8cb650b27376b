"""Intervals are the middle of bootstrap draws, and results count only the rows that have a value."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tokenunlearn.evaluation.result import bootstrap_interval, draw_interval, mean_result


def test_bootstrap_interval_matches_a_naive_bootstrap_and_the_normal_one():
    rows = np.random.default_rng(1).normal(2.0, 1.0, size=200)
    rng = np.random.default_rng(9)
    means = sorted(rng.choice(rows, size=200).mean() for _ in range(4000))
    low, high = bootstrap_interval(rows)
    spread = rows.std() / math.sqrt(200)
    assert (low, high) == pytest.approx((means[100], means[3899]), abs=0.15 * spread * 2)
    assert high - low == pytest.approx(2 * 1.96 * spread, rel=0.08)
    assert bootstrap_interval(rows) == (low, high)


def test_bootstrap_interval_of_few_rows():
    assert bootstrap_interval([0.4]) == (0.4, 0.4)
    assert bootstrap_interval([1.0, 1.0, 1.0]) == (1.0, 1.0)
    assert all(math.isnan(x) for x in bootstrap_interval([]))
    assert all(math.isnan(x) for x in bootstrap_interval([1.0, float("inf")]))


def test_draw_interval_is_the_middle_share():
    assert draw_interval(np.arange(1001.0), level=0.9) == pytest.approx((50.0, 950.0))
    assert all(math.isnan(x) for x in draw_interval(np.array([])))


def test_mean_result_leaves_out_rows_without_a_value():
    result = mean_result("forget/x", [0.5, None, 1.0], ["a", "b", "c"], "lower")
    assert (result.value, result.n, result.rows) == (0.75, 2, (0.5, None, 1.0))
    assert result.interval[0] <= 0.75 <= result.interval[1]
    assert mean_result("forget/x", [None], ["a"], "lower") is None
