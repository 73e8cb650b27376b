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
    assert gap.method == "Newcombe, independent rows"


@pytest.mark.parametrize(
    ("cells", "expected"),
    [  # Newcombe 1998a, table III, method 10
        ((36, 12, 2, 0), (0.0569, 0.3404)),
        ((36, 14, 0, 0), (0.1528, 0.4170)),
        ((0, 0, 0, 50), (-0.0713, 0.0713)),
        # a weak and a strong positive correlation: Fagerland, Lydersen & Laake 2017, chapter 8
        ((1, 1, 7, 12), (-0.5069, -0.0256)),
        ((59, 6, 16, 80), (-0.1186, -0.0046)),
    ],
)
def test_paired_shares_have_newcombes_interval(cells, expected):
    gap = difference(*table(*cells))
    assert (gap.low, gap.high) == pytest.approx(expected, abs=5e-4)
    assert gap.method == "Newcombe, paired rows"


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
    assert independent.low < 0 < paired.low < paired.value < paired.high < independent.high


@pytest.mark.parametrize("rows", [[0.5] * 30, [0.0, 0.5, 1.0] * 10])
def test_equal_rows_still_have_the_width_of_independent_ones(rows):
    own = Figure.of([f"s{i}" for i in range(30)], rows)
    gap = difference(own, own)
    assert gap.low < -0.1 < 0.1 < gap.high
    assert gap == difference(own, Figure.of([f"o{i}" for i in range(30)], rows))


def test_counts_beside_means_are_compared_as_means():
    count = shares(2, 60)
    mean = Figure.of(count.ids, np.linspace(0.1, 0.4, 60))
    gap, turned = difference(count, mean), difference(mean, count)
    assert gap.method == turned.method == "bootstrap of paired rows"
    assert (turned.low, turned.high) == pytest.approx((-gap.high, -gap.low))


def test_means_of_few_rows_have_no_interval():
    few, enough = (Figure.of([f"s{i}" for i in range(n)], np.linspace(0, 1, n)) for n in (19, 20))
    assert difference(few, few) is difference(few, enough) is difference(enough, few) is None
    assert relation(few, few, 0.05) == ("open", None)
    assert difference(enough, enough)


def test_a_value_without_rows_or_interval_has_no_difference():
    known = Figure(0.9, 100, interval=(0.8, 0.95))
    for unknown in (Figure(0.5, 0), Figure(1.5, 100)):  # of no rows, and no share
        assert difference(known, unknown) is difference(unknown, known) is None


def test_a_value_without_rows_has_its_own_interval_else_that_of_a_share():
    rows = shares(2, 60)
    for interval, expected in (((0.8, 0.95), (0.8, 0.95)), (None, rows.bounds())):
        assert Figure(rows.value, 60, interval=interval).bounds() == expected


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
