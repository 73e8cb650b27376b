"""A second model beside the tiny one."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from tokenunlearn.models.loaded_model import LoadedModel


@pytest.fixture(scope="module")
def other_lm(tiny_lm) -> LoadedModel:
    """Stands for the retrained model: the same architecture, other weights."""
    other = tiny_lm.copy(share_weights=False)
    with torch.no_grad(), torch.random.fork_rng():
        torch.manual_seed(5)
        for p in other.model.parameters():
            p.add_(0.05 * torch.randn_like(p))
    return replace(other, name="other")
