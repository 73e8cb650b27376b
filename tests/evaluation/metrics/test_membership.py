"""Membership scores against loops over tokens and autograd in float64; leakage in both directions."""

from __future__ import annotations

import copy
import math
import zlib
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from tokenunlearn.errors import TokenUnlearnError
from tokenunlearn.evaluation.metrics.membership import (
    GRADIENT_NORM,
    LOSS,
    MIN_K,
    ZLIB,
    gradient_norms,
    loss_score,
    min_k_plus_plus_score,
    min_k_score,
    relative_score,
    zlib_score,
)
from tokenunlearn.evaluation.metrics.privacy_leakage import leakage_directions, privacy_leakage
from tokenunlearn.evaluation.token_statistics import TokenStatistics

LOG_PROBS = np.log([0.9, 0.001, 0.5, 0.2, 0.05, 0.7, 0.3])


def test_loss_zlib_and_relative_scores():
    mean = sum(LOG_PROBS.tolist()) / 7
    assert loss_score(LOG_PROBS) == pytest.approx(mean, abs=1e-12)
    text = "Ada was born in Lisbon, Lisbon, Lisbon. Zürich."
    assert zlib_score(LOG_PROBS, text) == pytest.approx(mean / len(zlib.compress(text.encode())), abs=1e-12)
    assert relative_score(mean, mean - 1.5) == pytest.approx(1.5)


@pytest.mark.parametrize(("share", "count"), [(0.01, 1), (0.2, 1), (0.3, 2), (0.5, 3), (1.0, 7)])
def test_min_k_is_the_mean_of_the_least_probable(share, count):
    lowest = sorted(LOG_PROBS.tolist())[:count]
    assert min_k_score(LOG_PROBS, share) == pytest.approx(sum(lowest) / count, abs=1e-12)


def test_min_k_plus_plus_standardises_by_the_distribution_at_each_token():
    rng = np.random.default_rng(0)
    logits, labels = rng.normal(size=(6, 11)) * 2, rng.integers(0, 11, size=6)
    values, means, stds, log_probs = [], [], [], []
    for row, label in zip(logits, labels, strict=True):
        logs = [x - math.log(sum(math.exp(y) for y in row)) for x in row]
        mean = sum(math.exp(x) * x for x in logs)
        std = math.sqrt(sum(math.exp(x) * (x - mean) ** 2 for x in logs))
        values.append((logs[label] - mean) / std)
        means.append(mean), stds.append(std), log_probs.append(logs[label])
    found = min_k_plus_plus_score(np.array(log_probs), np.array(means), np.array(stds), share=0.5)
    assert found == pytest.approx(sum(sorted(values)[:3]) / 3, abs=1e-9)


def test_min_k_plus_plus_of_a_certain_token_is_a_number():
    assert min_k_plus_plus_score(np.zeros(2), np.zeros(2), np.zeros(2)) == 0.0


def test_scores_of_a_set_are_those_of_its_samples():
    rng = np.random.default_rng(1)
    tokens = [
        TokenStatistics(rng.gamma(1.0, size=n), rng.random(n) < 0.5, -rng.random(n), rng.random(n))
        for n in (3, 8)
    ]
    samples = [SimpleNamespace(answer="one"), SimpleNamespace(answer="two two")]
    part = SimpleNamespace(tokens=tokens, samples=samples, gradient_norms=np.array([2.0, 5.0]))
    assert list(GRADIENT_NORM.rows(part)) == [-2.0, -5.0]
    assert LOSS.rows(part) == [-t.nll.mean() for t in tokens]
    assert ZLIB.rows(part)[1] == zlib_score(-tokens[1].nll, "two two")
    assert MIN_K.rows(part)[1] == min_k_score(-tokens[1].nll)


def test_gradient_norm_is_that_of_a_backward_pass_in_float64(tiny_lm, town_samples):
    encodings = tiny_lm.encode_all(town_samples[:3])
    model = copy.deepcopy(tiny_lm.model).double()
    expected = []
    for e in encodings:
        model.zero_grad()
        log_probs = model(input_ids=torch.tensor([e.input_ids])).logits[0].log_softmax(-1)
        places = range(e.prompt_length, len(e))
        (-sum(log_probs[t - 1, e.input_ids[t]] for t in places) / len(places)).backward()
        expected.append(math.sqrt(sum(p.grad.square().sum().item() for p in model.parameters())))
    trainable = [p.requires_grad for p in tiny_lm.model.parameters()]
    assert gradient_norms(tiny_lm, encodings) == pytest.approx(expected, rel=1e-4)
    assert [p.requires_grad for p in tiny_lm.model.parameters()] == trainable
    assert all(p.grad is None for p in tiny_lm.model.parameters())


def test_gradient_norms_unfreeze_only_while_they_measure(tiny_lm, town_samples):
    frozen = tiny_lm.copy(share_weights=True)
    frozen.model.requires_grad_(False)
    encodings = frozen.encode_all(town_samples[:1])
    assert gradient_norms(frozen, encodings) == pytest.approx(gradient_norms(tiny_lm, encodings))
    assert not any(p.requires_grad for p in frozen.model.parameters())


def test_privacy_leakage_is_the_published_relative_difference_of_non_member_aucs():
    for auc, ref in [(0.9, 0.5), (0.2, 0.55), (0.6, 0.6)]:
        assert privacy_leakage(auc, ref) == pytest.approx(((1 - auc) - (1 - ref)) / (1 - ref), abs=1e-12)
    assert privacy_leakage(1.0, 0.5) == -1.0
    assert privacy_leakage(0.0, 0.5) == 1.0
    with pytest.raises(TokenUnlearnError, match="cannot serve as a baseline"):
        privacy_leakage(0.7, 1.0)


def test_a_model_that_gives_no_numbers_does_not_leak_nothing():
    assert all(
        math.isnan(side) for pair in ((math.nan, 0.6), (0.6, math.nan)) for side in leakage_directions(*pair)
    )


def test_leakage_directions_are_apart_and_end_at_1():
    assert leakage_directions(1.0, 0.6) == (1.0, 0.0)
    assert leakage_directions(0.0, 0.6) == (0.0, 1.0)
    assert leakage_directions(0.8, 0.6) == pytest.approx((0.5, 0.0))
    assert leakage_directions(0.3, 0.6) == pytest.approx((0.0, 0.5))
    assert leakage_directions(0.6, 0.6) == (0.0, 0.0)
    assert leakage_directions(1.0, 1.0) == leakage_directions(0.0, 0.0) == (0.0, 0.0)
