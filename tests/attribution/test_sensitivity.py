"""Statistics of a selection against naive loops and known cases."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import spearmanr

from tests.app.scores import sample, score_set
from tokenunlearn.attribution.selection import HardSelection, SoftWeighting, Uniform
from tokenunlearn.attribution.sensitivity import rank_agreement, selection_statistics
from tokenunlearn.errors import TokenUnlearnError

RANDOM = np.random.default_rng(3)


@pytest.fixture
def scores():
    samples = [
        sample(RANDOM.random(n), RANDOM.random(n), name=f"s{i}", gold=gold)
        for i, (n, gold) in enumerate([(6, (1, 2)), (9, (4,)), (5, ())])
    ]
    return score_set(samples).with_override("s1", 4, False)


@pytest.mark.parametrize(
    "rule",
    [HardSelection(threshold=0.5), HardSelection(top_share=0.4), SoftWeighting(0.2), Uniform()],
)
def test_against_naive_loops(scores, rule):
    found = selection_statistics(scores, rule)
    weights = scores.weights(rule).weights
    inside = near = gold = full = tokens = selected = covered = total = mass = 0.0
    spans = []
    for x, w, s in zip(scores.samples, weights, scores.importance, strict=True):
        for t in range(len(w)):
            tokens += 1
            selected += w[t] > 0
            covered += min(w[t], 1) * s[t]
            total += s[t]
            mass += w[t]
            if x.gold.any():
                near += w[t]
                if x.gold[t]:
                    inside += w[t]
                    gold += 1
                    full += min(w[t], 1)
        if x.gold.any():
            spans.append(all(w[t] >= max(w.mean(), 1e-12) for t in range(len(w)) if x.gold[t]))
    assert found.tokens == pytest.approx(selected / tokens)
    assert found.importance == pytest.approx(covered / total)
    assert found.mass == pytest.approx(mass / tokens)
    assert found.precision == pytest.approx(inside / near)
    assert found.recall == pytest.approx(full / gold)
    assert found.coverage == pytest.approx(np.mean(spans))
    assert found.effective == pytest.approx(np.mean([w.sum() ** 2 / (w**2).sum() for w in weights]))


def test_a_rule_that_selects_nothing_is_a_row_of_zeros_not_an_error(scores):
    found = selection_statistics(scores, HardSelection(threshold=1.0))
    assert (found.tokens, found.mass, found.effective, found.recall, found.coverage) == (0, 0, 0, 0, 0)
    assert found.precision is None


def test_without_gold_spans_what_needs_them_is_unknown():
    found = selection_statistics(score_set([sample([1, 2, 3], [3, 2, 1])]), Uniform())
    assert (found.precision, found.recall, found.coverage) == (None, None, None)
    assert (found.tokens, found.mass, found.effective) == (1, 1, 3)


@pytest.mark.filterwarnings("error")
def test_where_no_token_has_importance_weights_cover_none_of_it():
    scores = score_set([sample([0, 0], [0, 0])])
    vars(scores)["importance"] = [np.zeros(2)]
    assert selection_statistics(scores, Uniform()).importance == 0


def test_effective_tokens_are_those_that_pull():
    scores = score_set(
        [sample([0, 0, 1, 5], [0, 0, 1, 5]), sample([0, 3], [0, 3], name="s1")],
        scope="sample",
        reading="plain",
    )
    assert selection_statistics(scores, HardSelection(top_share=0.5)).effective == 1.5
    assert selection_statistics(scores, SoftWeighting(1e-9)).effective == pytest.approx(1)
    assert selection_statistics(scores, SoftWeighting(1e9)).effective == pytest.approx(3)


def test_a_score_set_without_tokens_is_refused():
    with pytest.raises(TokenUnlearnError, match="no response token"):
        selection_statistics(score_set([]), Uniform())


def test_rank_agreement_is_spearmans():
    a, b = RANDOM.random(40).round(1), RANDOM.random(40)
    a[3] = np.nan
    found = rank_agreement({"a": a, "b": b, "-b": -b, "constant": np.ones(40)})
    kept = np.isfinite(a)
    assert found[0, 1] == pytest.approx(spearmanr(a[kept], b[kept]).statistic)
    assert found[1, 2] == pytest.approx(-1)
    assert np.isnan(found[3]).all()


def test_without_a_criterion_the_threshold_comes_from_the_scores(scores):
    chosen = selection_statistics(scores, HardSelection(threshold=scores.suggested_threshold))
    assert replace(selection_statistics(scores, HardSelection()), rule=chosen.rule) == chosen
