"""The token budget: halves on out-of-memory, lets every other fault pass."""

from __future__ import annotations

import pytest
import torch

from tokenunlearn.models.token_budget import CPU_TOKENS, TokenBudget, bytes_per_token

MESSAGES = [
    "CUDA out of memory. Tried to allocate 20 MiB.",
    "MPS backend out of memory (allocated 1 GB)",
    "[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes.",
]


@pytest.mark.parametrize("message", MESSAGES)
def test_halves_until_it_fits_and_keeps_the_order(message):
    budget, tried = TokenBudget(1000), []

    def work(items):
        tried.append(len(items))
        if len(items) > 3:
            raise RuntimeError(message)
        return list(items)

    assert [x for part in budget.run(range(10), work) for x in part] == list(range(10))
    assert tried[0] == 10 and sum(n for n in tried if n <= 3) == 10
    assert budget.tokens < 1000


def test_a_single_item_that_does_not_fit_is_told():
    def work(items):
        raise torch.OutOfMemoryError(MESSAGES[0])

    with pytest.raises(torch.OutOfMemoryError):
        list(TokenBudget(8).run([1, 2], work))


def test_other_faults_pass():
    def work(items):
        raise RuntimeError("shapes do not match")

    budget = TokenBudget(8)
    with pytest.raises(RuntimeError, match="shapes"):
        list(budget.run([1, 2], work))
    assert budget.tokens == 8


def test_given_or_by_device(tiny_lm):
    assert TokenBudget.of(tiny_lm, 55).tokens == 55
    assert TokenBudget.of(tiny_lm).tokens == CPU_TOKENS
    assert bytes_per_token(tiny_lm) >= 4 * 32 * 2 * 4
