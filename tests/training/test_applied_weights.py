"""The weights a run reports are those its steps used: fixed ones as they are, others as their mean."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tests.training.small_run import FORGET, SMALL
from tokenunlearn.attribution.selection import TokenWeights
from tokenunlearn.models.forward import response_nll
from tokenunlearn.objectives.weightings import WGAWeighting, satimp_weights
from tokenunlearn.training.applied_weights import AppliedWeights
from tokenunlearn.training.unlearn import unlearn

ALONE = SMALL | {"regularizer": "none", "objective": "gradient_ascent", "learning_rate": 5e-3}


def test_means_are_over_the_times_a_sample_was_read():
    applied = AppliedWeights([3, 2, 1])
    applied.add(torch.tensor([0, 1]), torch.tensor([[1.0, 2, 3], [4, 5, 0]]))
    applied.add(torch.tensor([0, 0]), torch.tensor([[3.0, 2, 1, 0], [5, 5, 5, 0]]))  # a longer refusal beside
    applied.add(torch.tensor([1]), torch.tensor([[float("nan"), 1, 0]]))
    first, second, unread = applied.means()
    assert first.tolist() == pytest.approx([3, 3, 3])
    assert second.tolist() == [4, 5]
    assert unread.tolist() == [0]


def test_weights_that_change_with_the_step_are_averaged_over_the_steps(tiny_lm, monkeypatch):
    seen = []
    published = WGAWeighting.published

    def watched(self, step):
        seen.append(published(self, step))
        return seen[-1]

    monkeypatch.setattr(WGAWeighting, "published", watched)
    settings = ALONE | {"weighting": "wga", "published_scale": True, "gradient_accumulation": 1}
    result = unlearn(tiny_lm, FORGET, **settings)
    encodings = tiny_lm.encode_all(FORGET)
    assert len(seen) == 3  # two steps of both samples, the rows in one order, and a look at the last weights
    seen.pop()
    assert not torch.allclose(*seen)
    lengths = [e.response_length for e in encodings]
    rows = [int(mask.sum()) for mask in seen[0] > 0]
    for weights, length in zip(result.token_weights, lengths, strict=True):
        row = rows.index(length)
        expected = torch.stack(seen).mean(0)[row, :length]
        assert np.allclose(weights, expected.numpy(), atol=1e-7)


def test_after_one_step_they_are_the_published_formula_at_the_start_model(tiny_lm):
    result = unlearn(tiny_lm, FORGET, weighting="satimp", **ALONE | {"steps": 1})
    for weights, nll in zip(
        result.token_weights, response_nll(tiny_lm, tiny_lm.encode_all(FORGET)), strict=True
    ):
        formula = satimp_weights(nll[None], torch.ones(1, len(nll), dtype=torch.bool), 5.0, 1.0)[0]
        assert np.allclose(weights, (formula / formula.mean()).numpy(), atol=1e-4)


@pytest.mark.parametrize("control", ["none", "random", "inverted"])
def test_fixed_weights_are_those_of_the_control(tiny_lm, control):
    encodings = tiny_lm.encode_all(FORGET)
    chosen = [np.linspace(0, 2, e.response_length, dtype=np.float32) for e in encodings]
    given = TokenWeights(tuple(s.id for s in FORGET), tuple(chosen), {"selection": "soft"})
    result = unlearn(tiny_lm, FORGET, given, control=control, **ALONE)
    for weights, own in zip(result.token_weights, chosen, strict=True):
        assert sorted(weights) == sorted(own)
        assert (weights.tolist() == own.tolist()) == (control == "none")
        assert (weights.tolist() == own[::-1].tolist()) == (control == "inverted")
