"""Control rules: other weights of the same response, drawn by a generator."""

import pytest
import torch

from tokenunlearn.attribution.controls import CONTROLS, inverted_weights, random_weights


def test_uniform_weights_are_one_everywhere():
    assert CONTROLS["uniform"](torch.tensor([0.0, 3.0]), torch.Generator()).tolist() == [1.0, 1.0]


def test_random_and_inverted_controls_keep_the_budget():
    generator = torch.Generator().manual_seed(0)
    hard = torch.tensor([1.0, 0, 0, 1, 0, 0, 0])
    drawn = {tuple(random_weights(hard, generator).tolist()) for _ in range(50)}
    assert all(sum(d) == 2 for d in drawn) and len(drawn) > 10
    inverted = {tuple(inverted_weights(hard, generator).tolist()) for _ in range(50)}
    assert all(sum(i) == 2 and i[0] == i[3] == 0 for i in inverted) and len(inverted) > 5
    most = torch.tensor([1.0, 1, 0, 1])
    assert all(i.sum() == 3 and i[2] == 1 for i in (inverted_weights(most, generator) for _ in range(9)))
    soft = torch.tensor([0.1, 2.0, 0.7])
    assert inverted_weights(soft, generator).tolist() == pytest.approx([2.0, 0.1, 0.7])
