"""Statistics of padded batches equal those of single forward passes in float64."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch

from tokenunlearn.evaluation import token_statistics as module
from tokenunlearn.evaluation.token_statistics import token_statistics


def alone(lm, encoding):
    """NLL, correctness, mean and standard deviation of the log-probability from one pass in float64."""
    model = copy.deepcopy(lm.model).double()
    with torch.no_grad():
        logits = model(input_ids=torch.tensor([encoding.input_ids])).logits[0].double()
    rows = []
    for place in range(encoding.prompt_length, len(encoding)):
        log_probs = logits[place - 1].log_softmax(-1)
        probs = log_probs.exp()
        mean = sum(p * x for p, x in zip(probs.tolist(), log_probs.tolist(), strict=True))
        square = sum(p * x * x for p, x in zip(probs.tolist(), log_probs.tolist(), strict=True))
        token = encoding.input_ids[place]
        rows.append(
            (-log_probs[token].item(), int(log_probs.argmax()) == token, mean, (square - mean**2) ** 0.5)
        )
    return [np.array(column) for column in zip(*rows, strict=True)]


@pytest.mark.parametrize("family", ["llama", "gemma2", "gpt2"])
def test_padded_batches_equal_single_passes(family_lm, family, town_samples, monkeypatch):
    monkeypatch.setattr(module, "CHUNK", 7)
    lm = family_lm(family)
    encodings = lm.encode_all(town_samples[:4])
    assert len({len(e) for e in encodings}) > 1
    for found, encoding in zip(token_statistics(lm, encodings), encodings, strict=True):
        nll, correct, mean, std = alone(lm, encoding)
        assert found.nll == pytest.approx(nll, abs=2e-5)
        assert (found.correct == correct).all()
        assert found.mean == pytest.approx(mean, abs=2e-5)
        assert found.std == pytest.approx(std, abs=2e-5)
        assert found.log_probs == pytest.approx(-nll, abs=2e-5)


def test_batches_change_nothing_and_progress_counts_up(tiny_lm, town_samples):
    encodings = tiny_lm.encode_all(town_samples)
    seen: list[int] = []
    together = token_statistics(tiny_lm, encodings, progress=lambda done, total: seen.append(done))
    apart = token_statistics(tiny_lm, encodings, token_budget=1)
    for a, b, encoding in zip(together, apart, encodings, strict=True):
        assert a.nll == pytest.approx(b.nll, abs=2e-5)
        assert len(a.nll) == encoding.response_length
    assert seen[-1] == len(encodings)


def test_impossible_tokens_leave_numbers():
    logits = torch.tensor([[0.0, float("-inf"), 1.0]])
    nll, correct, mean, std = module._statistics(logits, torch.tensor([2])).numpy()
    p = np.array([1.0, np.e]) / (1 + np.e)
    assert nll == pytest.approx([-np.log(p[1])], abs=1e-6)
    assert mean == pytest.approx([(p * np.log(p)).sum()], abs=1e-6)
    assert correct == 1 and np.isfinite(std).all()
