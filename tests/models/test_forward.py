"""Response-only forward passes against the whole model, one sequence at a time."""

from __future__ import annotations

import copy

import pytest
import torch

from tests.models.architectures import ARCHITECTURES
from tokenunlearn.datasets.samples import Sample
from tokenunlearn.errors import ModelNotFoundError
from tokenunlearn.models.encoding import collate
from tokenunlearn.models.forward import (
    check_logits,
    mean_per_token,
    output_head,
    per_token,
    response_hidden,
    response_nll,
    token_nll,
)

SAMPLES = [
    Sample("a", "Where was Ada Miller born?", "Ada Miller was born in Lisbon, the old harbour town."),
    Sample("b", "Who?", "老舍 🎉"),
    Sample("c", "Which prize did the author win in that year?", "x"),
]
# Families whose logits are scaled or capped behind the linear map, beside those of every test.
SCALED = [
    ("gemma2", {"final_logit_softcapping": 0.5}),
    ("cohere", {"logit_scale": 0.25}),
    ("granite", {"logits_scaling": 4.0}),
    ("hyperclovax", {"logits_scaling": 0.25}),
    (
        "recurrent_gemma",
        {"logits_soft_cap": 0.5, "lru_width": 32, "block_types": ["recurrent", "attention"]},
    ),
    (
        "falcon_h1",
        {
            "lm_head_multiplier": 0.3,
            "mamba_d_ssm": 32,
            "mamba_n_heads": 4,
            "mamba_d_head": 8,
            "mamba_d_state": 8,
        },
    ),
]


@torch.no_grad()
def plain_logits(lm, encoding):
    logits = lm.model(input_ids=torch.tensor([encoding.input_ids])).logits
    return logits[0, encoding.prompt_length - 1 : -1]


def test_nll_equals_one_whole_pass_per_sequence(family_lm, family):
    lm = family_lm(family)
    encodings = lm.encode_all(SAMPLES)
    for budget in (1, 150, 100_000):
        for encoding, nll in zip(encodings, response_nll(lm, encodings, token_budget=budget), strict=True):
            logits = plain_logits(lm, encoding)
            labels = torch.tensor(encoding.input_ids[encoding.prompt_length :])
            expected = -logits.log_softmax(-1).gather(-1, labels[:, None])[:, 0]
            assert nll.shape == labels.shape and nll.dtype == torch.float32
            assert torch.allclose(nll, expected, atol=1e-5)


def test_padding_never_contributes(family_lm, family):
    lm = family_lm(family)
    encodings = lm.encode_all(SAMPLES)
    with torch.no_grad():
        hidden = [response_hidden(lm.model, collate(encodings, pad_id)) for pad_id in (0, 7)]
        for row, encoding in enumerate(encodings):
            alone = response_hidden(lm.model, collate([encoding], 0))[0]
            for padded in hidden:
                assert torch.allclose(padded[row, : encoding.response_length], alone, atol=1e-5)


@pytest.mark.parametrize(("scaled", "changes"), SCALED)
def test_head_applies_what_the_architecture_does_to_logits(family_lm, scaled, changes):
    lm = family_lm(scaled, **changes)
    encoding = lm.encode(SAMPLES[0])
    with torch.no_grad():
        hidden = response_hidden(lm.model, collate([encoding], 0))
        logits = output_head(lm.model)(hidden)[0]
        linear = lm.model.get_output_embeddings()(hidden)[0]
    assert torch.allclose(logits, plain_logits(lm, encoding), atol=1e-5)
    assert not torch.allclose(logits, linear, atol=1e-2)


@pytest.mark.parametrize("fault", ["scale", "later tokens", "NaN"])
def test_logits_that_are_made_in_another_way_are_refused(family_lm, fault):
    model = copy.deepcopy(family_lm("llama").model)
    check_logits(model)
    forward = model.forward

    def changed(*args, **kwargs):
        output = forward(*args, **kwargs)
        if fault == "scale":
            output.logits = output.logits * 1.1
        elif fault == "later tokens":
            output.logits = output.logits.flip(1)
        else:
            output.logits[0, 0, 0] = torch.nan
        return output

    model.forward = changed
    sentence = "NaN or infinite logits in torch.float32" if fault == "NaN" else '"llama" is not supported'
    with pytest.raises(ModelNotFoundError, match=sentence):
        check_logits(model)


def test_a_mask_without_effect_is_noticed(family_lm, family):
    assert family_lm("rwkv", **ARCHITECTURES["rwkv"]).ignores_mask
    assert not family_lm(family).ignores_mask


def test_embeddings_in_place_of_ids_give_the_same(tiny_lm):
    batch = collate(tiny_lm.encode_all(SAMPLES), 0)
    with torch.no_grad():
        embeddings = tiny_lm.model.get_input_embeddings()(batch.input_ids)
        by_ids, by_embeddings = (response_hidden(tiny_lm.model, batch, e) for e in (None, embeddings))
    assert torch.allclose(by_ids, by_embeddings, atol=1e-6)


def test_token_nll_in_half_precision_is_computed_in_float32():
    logits = torch.randn(2, 3, 500, generator=torch.Generator().manual_seed(0)).half()
    labels = torch.tensor([[0, 1, 2], [499, 4, 5]])
    expected = -logits.double().log_softmax(-1).gather(-1, labels[..., None])[..., 0]
    assert torch.allclose(token_nll(logits, labels).double(), expected, atol=1e-5)


def test_nothing_to_do_and_progress(tiny_lm):
    assert response_nll(tiny_lm, []) == []
    calls = []
    response_nll(tiny_lm, tiny_lm.encode_all(SAMPLES), token_budget=1, progress=lambda *d: calls.append(d))
    assert calls == [(1, 3), (2, 3), (3, 3)]


def kl_of(logits, ref_logits):
    log_p, log_q = ref_logits.log_softmax(-1), logits.log_softmax(-1)
    return (log_p.exp() * (log_p - log_q)).sum(-1)


@pytest.mark.parametrize("trained", [True, False], ids=["head trained", "head frozen"])
@pytest.mark.parametrize("family", ["llama", "gemma2", "granite"])
@pytest.mark.parametrize("measure", ["nll", "kl"])
def test_per_token_equals_the_plain_expression_with_all_gradients(family_lm, family, trained, measure):
    """Value, gradient of the hidden states and of the head, which is tied to the embeddings in gemma2."""
    model = copy.deepcopy(family_lm(family).model).double()
    head = output_head(model)
    head.requires_grad_(trained)
    generator = torch.Generator().manual_seed(2)
    ids, labels = torch.randint(len(head.linear.weight), (2, 23), generator=generator)
    other = torch.randn(23, len(head.linear.weight), generator=generator, dtype=torch.float64)
    weights = torch.randn(23, generator=generator, dtype=torch.float64)
    functions = {"nll": lambda z, y, r: token_nll(z, y), "kl": lambda z, y, r: kl_of(z, r)}

    def outcome(values, weights=weights):
        scale = torch.linspace(1, 3, 32, dtype=torch.float64).requires_grad_()
        hidden = model.get_input_embeddings()(ids) * scale  # so that a tied weight is reached in two ways
        model.zero_grad()
        found = values(hidden)
        (weights * found).square().sum().backward()
        gradients = [p.grad.clone() for p in model.parameters() if p.grad is not None]
        return [found.detach(), scale.grad, *gradients]

    f = functions[measure]
    plain = outcome(lambda hidden: f(head(hidden), labels, other))
    for rows in (1, 7, 100):
        parts = outcome(lambda hidden, n=rows: per_token(f, head, hidden, labels, other, at_once=n))
        assert len(parts) == len(plain)
        assert all(torch.allclose(a, b, atol=1e-9) for a, b in zip(parts, plain, strict=True))
    plain = outcome(lambda hidden: f(head(hidden), labels, other).mean(), weights[0])
    for rows in (1, 7, 100):
        mean = outcome(
            lambda hidden, n=rows: mean_per_token(f, head, hidden, labels, other, at_once=n), weights[0]
        )
        assert len(mean) == len(plain)
        assert all(torch.allclose(a, b, atol=1e-9) for a, b in zip(mean, plain, strict=True))


def test_a_mean_makes_the_logits_once_and_per_token_again_for_a_trained_head():
    made = []

    class Head(torch.nn.Linear):
        def forward(self, hidden):
            made.append(len(hidden))
            return super().forward(hidden)

    hidden, labels = torch.randn(10, 4, requires_grad=True), torch.arange(10) % 7
    mean_per_token(token_nll, Head(4, 7), hidden, labels, at_once=4).backward()
    assert made == [4, 4, 2]
    per_token(token_nll, Head(4, 7), hidden, labels, at_once=4).mean().backward()
    assert made[3:] == 2 * [4, 4, 2]


def test_per_token_keeps_nothing_of_the_size_of_the_logits(tiny_lm):
    head = output_head(tiny_lm.model)
    hidden = torch.randn(50, 32, requires_grad=True)
    labels = torch.arange(50)

    def kept(values):
        sizes = []
        with torch.autograd.graph.saved_tensors_hooks(lambda t: sizes.append(t.numel()) or t, lambda t: t):
            values()
        return max(sizes)

    assert kept(lambda: token_nll(head(hidden), labels)) >= 50 * len(head.linear.weight)
    at_most = max(hidden.numel(), head.linear.weight.numel())  # the weight itself is no copy
    assert kept(lambda: per_token(token_nll, head, hidden, labels, at_once=8)) <= at_most


def test_per_token_of_nothing_and_without_gradients(tiny_lm):
    head = output_head(copy.deepcopy(tiny_lm.model))
    empty = per_token(token_nll, head, torch.empty(0, 32, requires_grad=True), torch.empty(0).long())
    assert empty.shape == (0,)
    empty.sum().backward()
    with torch.no_grad():
        assert not per_token(token_nll, head, torch.randn(3, 32), torch.arange(3)).requires_grad
        assert not mean_per_token(token_nll, head, torch.randn(3, 32), torch.arange(3)).requires_grad
