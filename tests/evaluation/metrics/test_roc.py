"""AUC and true positive rate against loops over pairs and thresholds."""

from __future__ import annotations

import numpy as np
import pytest

from tokenunlearn.errors import TokenUnlearnError
from tokenunlearn.evaluation.metrics.roc import auc, auc_draws, found_members, tpr_at_fpr, tpr_draws


@pytest.fixture
def scores():
    """Members and others of unequal number, with ties."""
    rng = np.random.default_rng(2)
    return rng.integers(2, 12, size=13).astype(float), rng.integers(0, 10, size=17).astype(float)


def test_auc_counts_pairs(scores):
    members, others = scores
    pairs = [1.0 if m > o else 0.5 if m == o else 0.0 for m in members for o in others]
    assert auc(members, others) == pytest.approx(sum(pairs) / len(pairs), abs=1e-12)
    assert auc(others, members) == pytest.approx(1 - auc(members, others), abs=1e-12)
    assert auc(np.array([1.0]), np.array([1.0])) == 0.5


@pytest.mark.parametrize("rate", [0.0, 0.01, 0.1, 0.3, 0.99])
def test_tpr_is_the_best_over_all_thresholds_that_keep_the_rate(scores, rate):
    members, others = scores
    best = max(
        (members > threshold).mean()
        for threshold in [-1.0, *members, *others, 99.0]
        if (others > threshold).mean() <= rate
    )
    assert tpr_at_fpr(members, others, rate) == pytest.approx(best, abs=1e-12)
    assert found_members(members, others, rate).mean() == pytest.approx(best, abs=1e-12)


@pytest.mark.slow
def test_draws_are_the_figures_of_resampled_rows(scores):
    members, others = scores
    draws = auc_draws(members, others)
    rng = np.random.default_rng(11)
    naive = [auc(rng.choice(members, 13), rng.choice(others, 17)) for _ in range(2000)]
    assert draws.mean() == pytest.approx(np.mean(naive), abs=0.02)
    assert draws.std() == pytest.approx(np.std(naive), rel=0.15)
    assert (draws == auc_draws(members, others)).all()
    tpr = tpr_draws(members, others, 0.1)
    naive = [tpr_at_fpr(rng.choice(members, 13), rng.choice(others, 17), 0.1) for _ in range(2000)]
    assert tpr.mean() == pytest.approx(np.mean(naive), abs=0.05)


def test_equal_scores_are_resampled_to_equal_aucs(scores):
    members, others = scores
    assert auc_draws(members, others) == pytest.approx(auc_draws(2 * members + 1, 2 * others + 1))
    assert auc_draws(np.ones(3), np.ones(4)) == pytest.approx(0.5)


def test_scores_that_are_no_numbers_find_no_rate(scores):
    members, others = scores
    for broken in (members * np.nan, np.where(members == members.max(), np.nan, members)):
        assert np.isnan(tpr_at_fpr(broken, others)) and np.isnan(tpr_at_fpr(others, broken))


@pytest.mark.parametrize("groups", [([], [1.0]), ([1.0], [])])
def test_an_empty_group_is_an_error(groups):
    with pytest.raises(TokenUnlearnError, match="both members and non-members"):
        auc(*map(np.array, groups))
