"""What runs are compared at, and the figures of a comparison."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.selectivity_figures import comparable, figures, interpolated, reached, shared_change


def test_curves_are_compared_where_all_have_risen_as_far():
    fast, slow, bent = np.array([0.0, 4.0, 5.0]), np.array([0.0, 1.0, 3.0]), np.array([0.0, 3.5, 2.0])
    assert shared_change([fast, slow, bent]) == 3.0
    places = [reached(curve, 3.0) for curve in (fast, slow, bent)]
    assert places == pytest.approx([0.75, 2.0, 6 / 7])
    for curve, place in zip((fast, slow, bent), places, strict=True):
        assert interpolated(curve, place) == pytest.approx(3.0)
    values = np.array([[0.0, 1.0], [2.0, 0.0], [6.0, 0.0]])
    assert interpolated(values, 1.25).tolist() == [3.0, 0.0]
    assert reached(fast, 0.0) == 0.0


def test_selectivity_is_the_change_of_gold_less_that_of_others():
    counts = np.array([[1.0, 3.0], [10.0, 10.0]])
    start = np.zeros((2, 2, 2))
    sums = np.array([[[2.0, 6.0], [5.0, 5.0]], [[0.1, 0.3], [9.0, 9.0]]])
    result = figures(sums, start, counts)
    assert result["change_gold"] == [2.0, 2.0, 2.0]
    assert result["selectivity"] == [1.5, 1.5, 1.5]
    assert result["p_gold"][0] == pytest.approx(0.1) and result["p_other"][0] == pytest.approx(0.9)
    uneven = figures(sums * [1, 2], start, counts)
    low, high = uneven["selectivity"][1:]
    assert low < uneven["selectivity"][0] < high
    alone = figures(sums[..., :1], start[..., :1], counts[:, :1])
    assert alone["selectivity"] == [1.5, None, None]


def test_runs_with_other_settings_than_the_last_are_not_compared():
    def run(rule, seed, steps, stopped=""):
        config = {"seed": seed, "steps": steps}
        return {"rule": rule, "settings": {"weights": rule, "config": config}, "stopped": stopped}

    old, diverged = run("gold", 0, 2), run("paper", 0, 4, "diverged")
    new = [run("default", 0, 4), run("random", 1, 4)]
    assert comparable([old, diverged, *new]) == new
