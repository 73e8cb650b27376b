"""The formulas of unlearning depth on numbers by hand."""

from __future__ import annotations

import numpy as np
import pytest

from tokenunlearn.evaluation.metrics.depth import depth_map, depth_score


def test_cells_are_shares_of_what_the_retrained_model_lacks():
    covered = depth_map(np.array([[1.0, -1.0], [9.0, 1.0]]), np.array([[4.0, 4.0], [2.0, 0.01]]))
    assert covered[0].tolist() == [0.25, 0.0] and covered[1, 0] == 1.0
    assert np.isnan(covered[1, 1])


def test_layers_weigh_as_much_as_there_was_to_lose():
    lost = np.array([[1.0, 1.0], [6.0, 6.0], [5.0, 5.0]])
    retrained = np.array([[2.0, 2.0], [5.0, 7.0], [0.0, 0.02]])  # the third layer holds nothing
    assert depth_score(lost, retrained) == pytest.approx((1 + 6) / (2 + 6))


def test_damage_beyond_the_retrained_model_is_no_more_depth():
    assert depth_score(np.full((2, 1), 50.0), np.full((2, 1), 1.0)) == 1.0


def test_a_fact_that_no_layer_holds_has_no_depth():
    assert depth_score(np.ones((2, 2)), np.zeros((2, 2))) is None
    assert depth_score(np.ones((2, 2)), np.full((2, 2), 0.03)) is None  # a mean over tokens, not a sum
