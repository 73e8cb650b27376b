"""Entropy against closed forms and the naive expression."""

from __future__ import annotations

import math

import pytest
import torch

from tokenunlearn.datasets.samples import Sample
from tokenunlearn.models.entropy import response_nll_and_entropy, token_entropy


def two_way(p: float) -> tuple[list[float], float]:
    """Logits of a two-way choice and its entropy."""
    return [math.log(p), math.log(1 - p), -math.inf], -p * math.log(p) - (1 - p) * math.log(1 - p)


@pytest.mark.parametrize(
    ("logits", "expected"),
    [
        ([0.0] * 50, math.log(50)),
        ([1e4] * 7, math.log(7)),
        ([0.0, -math.inf, -math.inf], 0.0),
        ([0.0, 1e5, 0.0], 0.0),
        two_way(0.5),
        two_way(0.1),
        two_way(0.999),
    ],
)
def test_closed_forms(logits, expected):
    assert token_entropy(torch.tensor([logits])).item() == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("chunk", [1, 4, 256])
def test_equals_the_naive_expression_in_any_chunk(chunk):
    logits = 4 * torch.randn(3, 5, 11, generator=torch.Generator().manual_seed(0))
    p = logits.double().softmax(-1)
    entropy = token_entropy(logits, chunk)
    assert entropy.shape == (3, 5)
    assert torch.allclose(entropy.double(), -(p * p.log()).sum(-1), atol=1e-6)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_logits_are_read_in_float32(dtype):
    logits = torch.randn(2, 5000, generator=torch.Generator().manual_seed(1)).to(dtype)
    entropy = token_entropy(logits)
    assert entropy.dtype == torch.float32
    p = logits.double().softmax(-1)
    assert torch.allclose(entropy.double(), -(p * p.log()).sum(-1), atol=1e-5)


def test_nll_and_entropy_of_responses_are_those_of_a_plain_forward(tiny_lm):
    samples = [Sample("a", "Who?", "Ada Miller, in the old town."), Sample("b", "?", "x")]
    encodings = tiny_lm.encode_all(samples)
    for encoding, measured in zip(encodings, response_nll_and_entropy(tiny_lm, encodings), strict=True):
        with torch.no_grad():
            logits = tiny_lm.model(input_ids=torch.tensor([encoding.input_ids[: len(encoding)]])).logits[0]
        log_p = logits[encoding.prompt_length - 1 : -1].log_softmax(-1)
        labels = torch.tensor(encoding.response_ids)
        expected = -log_p.gather(1, labels[:, None])[:, 0], -(log_p.exp() * log_p).sum(-1)
        for values, wanted in zip(measured, expected, strict=True):
            assert values == pytest.approx(wanted.numpy(), abs=1e-5)
