"""Intervals of differences: known values, coverage, and what gives none."""

from __future__ import annotations

import numpy as np
import pytest

from tokenunlearn.evaluation.difference import Figure, difference, fewest_questions, relation


def shares(count, n):
    return Figure.of([f"s{i}" for i in range(n)], [float(i < count) for i in range(n)])


def table(both, first, second, none):
    """Two figures on the same rows with a 2 x 2 table."""
    pairs = [(1.0, 1.0)] * both + [(1.0, 0.0)] * first + [(0.0, 1.0)] * second + [(0.0, 0.0)] * none
    ids = [f"s{i}" for i in range(len(pairs))]
    return (Figure.of(ids, column) for column in zip(*pairs, strict=True))


def test_independent_shares_have_newcombes_interval():
    own, other = shares(56, 70), shares(48, 80)
    gap = difference(own, Figure(other.value, 80, tuple(f"o{i}" for i in range(80)), other.rows))
    assert (gap.low, gap.high) == pytest.approx((0.0524, 0.3339), abs=5e-4)  # Newcombe 1998b, table II (a)


@pytest.mark.parametrize(
    ("cells", "expected"),  # Newcombe 1998a, table III, method 10
    [
        ((36, 12, 2, 0), (0.0569, 0.3404)),
        ((36, 14, 0, 0), (0.1528, 0.4170)),
        ((0, 0, 0, 50), (-0.0713, 0.0713)),
    ],
)
def test_paired_shares_have_newcombes_interval(cells, expected):
    gap = difference(*table(*cells))
    assert (gap.low, gap.high) == pytest.approx(expected, abs=5e-4)


def test_pairing_by_id_ignores_the_order_of_rows():
    own, other = table(20, 9, 1, 10)
    turned = Figure.of(other.ids[::-1], other.rows[::-1])
    assert difference(own, turned) == difference(own, other)


def test_paired_means_are_narrower_than_independent_ones():
    rng = np.random.default_rng(1)
    rows = rng.uniform(0.2, 0.8, 60)
    own = Figure.of([f"s{i}" for i in range(60)], rows)
    same = Figure.of(own.ids, rows - 0.02 + rng.normal(0, 0.001, 60))
    apart = Figure.of([f"o{i}" for i in range(60)], same.rows)
    paired, independent = difference(own, same), difference(own, apart)
    assert paired.low > 0 > independent.low


def test_equal_rows_without_spread_still_have_a_width():
    own = Figure.of([f"s{i}" for i in range(30)], [0.5] * 30)
    gap = difference(own, own)
    assert gap.low < -0.1 < 0.1 < gap.high


def test_means_of_few_rows_have_no_interval():
    few = Figure.of([f"s{i}" for i in range(19)], np.linspace(0, 1, 19))
    assert difference(few, few) is None
    assert relation(few, few, 0.05) == ("open", None)


def test_a_value_without_rows_or_interval_has_no_difference():
    assert difference(Figure(0.9, 100, interval=(0.8, 0.95)), Figure(0.5, 0)) is None


def test_the_fewest_questions_are_those_that_can_show_a_level():
    fewest = fewest_questions(0.05)
    assert relation(shares(0, fewest), shares(0, fewest), 0.05)[0] == "same"
    assert relation(shares(0, fewest - 1), shares(0, fewest - 1), 0.05)[0] == "open"


def test_a_difference_within_the_margin_is_the_same_level_though_significant():
    own = Figure.of([f"s{i}" for i in range(5000)], [float(i >= 25) for i in range(5000)])
    all_right = Figure.of(own.ids, [1.0] * 5000)
    assert difference(own, all_right).high < 0
    assert relation(own, all_right, 0.05)[0] == "same"


def test_models_at_the_margin_are_called_the_same_in_at_most_one_of_twenty_cases():
    rng = np.random.default_rng(0)
    ids = [f"s{i}" for i in range(200)]
    same = 0
    for _ in range(400):
        own, other = (Figure.of(ids, (rng.random(200) < p).astype(float)) for p in (0.15, 0.10))
        same += relation(own, other, 0.05)[0] == "same"
    assert same / 400 < 0.08
