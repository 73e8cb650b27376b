"""Rounding against a loop over the grid; copies leave the model, its embeddings and its head alone."""

from __future__ import annotations

import pytest
import torch

from tokenunlearn.evaluation.attacks.quantization import nf4, nf4_available, quantized, round_to_nearest
from tokenunlearn.models.loading import load_model


@pytest.mark.parametrize("bits", [8, 4])
def test_rounding_takes_the_nearest_level_of_each_row(bits):
    weight = torch.randn(5, 7, generator=torch.Generator().manual_seed(bits), dtype=torch.float64)
    weight[3] = 0.0
    rounded = round_to_nearest(weight, bits)
    top = 2 ** (bits - 1) - 1
    for row, found in zip(weight.tolist(), rounded.tolist(), strict=True):
        step = max(map(abs, row)) / top or 1.0
        levels = [k * step for k in range(-top, top + 1)]
        for x, y in zip(row, found, strict=True):
            assert abs(x - y) == pytest.approx(min(abs(x - level) for level in levels), abs=1e-6)
    assert (rounded.unique(dim=1).shape[0]) == 5
    assert round_to_nearest(rounded, bits) == pytest.approx(rounded, abs=1e-6)


@pytest.mark.parametrize("family", ["llama", "gpt2"])
def test_a_quantized_copy_rounds_by_output_and_leaves_the_model(family_lm, family):
    lm = family_lm(family)
    before = {name: p.clone() for name, p in lm.model.named_parameters()}
    copy = quantized(lm, 4)
    after = dict(copy.model.named_parameters())
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert all(torch.equal(p, before[name]) for name, p in lm.model.named_parameters())
    assert changed and not any("embed" in n or "wte" in n or "head" in n or "norm" in n for n in changed)
    weight = after[next(name for name in changed if "mlp" in name)]
    outputs = weight.T if family == "gpt2" else weight
    assert all(len(row.unique()) <= 15 for row in outputs)


def test_nf4_loses_less_than_int4_of_whole_rows():
    lm = load_model("demo")
    if not nf4_available(lm):
        pytest.skip("NF4 needs a GPU and bitsandbytes")
    pairs = zip(lm.model.named_parameters(), nf4(lm).model.parameters(), strict=True)
    lost = [((a - b).float().norm() / a.float().norm()).item() for (name, a), b in pairs if "_proj" in name]
    assert 0.08 < min(lost) <= max(lost) < 0.11


def test_nf4_needs_a_gpu(tiny_lm):
    assert not nf4_available(tiny_lm)
