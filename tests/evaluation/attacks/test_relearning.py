"""Relearning: what is shown, what is measured, the height of a curve, and that training really happens."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from tokenunlearn.datasets.samples import SampleSet
from tokenunlearn.evaluation.attacks import relearning as module
from tokenunlearn.evaluation.attacks.relearning import (
    RelearningConfig,
    mean_height,
    relearning,
    shown_samples,
)
from tokenunlearn.evaluation.attacks.target import Target
from tokenunlearn.models.forward import response_nll


@pytest.mark.parametrize(("share", "count"), [(0.01, 1), (0.05, 1), (0.2, 3), (1.0, 14)])
def test_shown_samples_are_at_least_one_and_never_all(share, count):
    shown = shown_samples(15, share, seed=3)
    assert len(shown) == count and shown <= set(range(15))
    assert shown == shown_samples(15, share, seed=3)


def test_mean_height_is_the_area_under_the_polygon_over_the_steps():
    curve = {0: [0.0, 1.0, None], 2: [1.0, 1.0, None], 10: [0.5, 1.0, None]}
    expected = ((0.0 + 1.0) / 2 * 2 + (1.0 + 0.5) / 2 * 8) / 10
    assert mean_height(curve) == [pytest.approx(expected, abs=1e-12), 1.0, None]


@pytest.fixture
def target(tiny_lm, town_samples):
    return Target(tiny_lm, town_samples[:6], lambda phase, done, total: None)


@pytest.mark.slow
def test_relearning_raises_what_is_shown_and_leaves_the_model(target):
    before = [p.clone() for p in target.lm.model.parameters()]
    config = RelearningConfig(shares=(0.5,), steps=(2, 6), learning_rate=1e-2)
    found = relearning(target, config)
    assert all(torch.equal(a, b) for a, b in zip(before, target.lm.model.parameters(), strict=True))
    shown = shown_samples(6, 0.5, target.seed)
    for name, rows in found.items():
        assert {i for i, row in enumerate(rows) if row is None} == shown, name
    start = module._recovery(target, "")["probability"]
    kept = [i for i in range(6) if i not in shown]
    end = [found["relearning_50/probability"][i] for i in kept]
    assert np.mean(end) > 1.5 * np.mean([start[i] for i in kept])  # the samples share their form
    points = [[start[i] for i in kept], [found["relearning_50/probability_after_2"][i] for i in kept], end]
    expected = np.trapezoid(points, [0, 2, 6], axis=0) / 6
    assert [found["relearning_50/probability_area"][i] for i in kept] == pytest.approx(expected)
    assert set(found) == {
        f"relearning_50/{metric}{end}"
        for metric in ("gold_span", "probability", "gold_probability")
        for end in ("_after_2", "", "_area")
    }


def test_the_probability_of_the_facts_is_that_of_their_tokens_alone(target):
    bare = replace(target.samples[0], id="bare", span=())
    rows = module._recovery(replace(target, samples=SampleSet("", (*target.samples, bare))), "")
    sample = target.samples[0]
    encoding = target.lm.encode(sample)
    (nll,) = response_nll(target.lm, [encoding])
    gold = [any(s < b and a < e for a, b in sample.span) for s, e in encoding.answer_offsets]
    assert 0 < sum(gold) < len(gold)
    expected = np.exp(-nll.numpy()[gold].mean())
    assert rows["gold_probability"][0] == pytest.approx(expected)
    assert rows["gold_probability"][-1] is None and rows["probability"][-1] is not None


def test_samples_without_gold_spans_have_no_probability_of_facts(target):
    bare = SampleSet("", tuple(replace(s, span=()) for s in target.samples))
    assert set(module._recovery(replace(target, samples=bare), "")) == {"rouge_l", "probability"}


@pytest.mark.slow
def test_the_same_seed_gives_the_same_curve(target):
    config = RelearningConfig(shares=(0.2,), steps=(2,))
    assert relearning(target, config) == relearning(target, config)


def test_large_models_train_an_adapter(target, monkeypatch):
    monkeypatch.setattr(module, "LORA_FROM_PARAMETERS", 1)
    copy = module._trainable_copy(target.lm, RelearningConfig())
    trained = [name for name, p in copy.model.named_parameters() if p.requires_grad]
    assert trained and all("lora" in name for name in trained)
    config = RelearningConfig(shares=(0.5,), steps=(4,), lora_learning_rate=5e-2)
    start = module._recovery(target, "")["probability"]
    end = relearning(target, config)["relearning_50/probability"]
    assert any(e is not None and e > 1.1 * s for s, e in zip(start, end, strict=True))
    assert not any("lora" in name for name, _ in target.lm.model.named_parameters())
