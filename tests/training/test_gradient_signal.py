"""Signal and noise of gradients against gradients of all weights at once, and what the figures must do."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from tests.evaluation.conftest import make_sample
from tokenunlearn.errors import TokenUnlearnError
from tokenunlearn.models.forward import response_nll
from tokenunlearn.training.gradient_signal import (
    Text,
    _Span,
    signal_share,
    snr,
    snr_gain,
    snr_ratio,
    splits,
    token_gradients,
    token_splits,
)
from tokenunlearn.training.settings import UnlearnSettings

SAMPLES = [
    replace(s, paraphrased_span=((0, s.paraphrased_answer.index(" ")),))
    for s in (make_sample(n, n) for n in range(4))
]


def inputs(lm):
    return [Text.of(lm, s) for s in SAMPLES], [Text.paraphrase(lm, s) for s in SAMPLES]


def flat_gradient(lm, encoding, weights):
    """The gradient of a weighted sum of token NLLs with respect to all weights, the plain way."""
    model = lm.copy(share_weights=True).model.requires_grad_(True)
    ids = torch.tensor([encoding.input_ids])
    log_probs = model(input_ids=ids).logits[0, encoding.prompt_length - 1 : -1].log_softmax(-1)
    nll = -log_probs.gather(1, ids[0, encoding.prompt_length :, None])[:, 0]
    (torch.tensor(weights).float() * nll).sum().backward()
    return torch.cat([p.grad.flatten() for p in model.parameters()]).double().numpy()


def test_signal_and_noise_are_the_parts_of_the_gradient(tiny_lm):
    texts, facts = inputs(tiny_lm)
    measured = token_gradients(tiny_lm, texts, facts)
    rng = np.random.default_rng(0)
    weights = [rng.random(len(t.gold)) for t in texts]
    basis, _ = np.linalg.qr(np.array([flat_gradient(tiny_lm, f.encoding, f.gold) for f in facts]).T)
    for text, own_weights, row in zip(texts, weights, splits(measured, weights), strict=True):
        own = flat_gradient(tiny_lm, text.encoding, own_weights)
        inside = basis @ (basis.T @ own)
        assert row == pytest.approx([inside @ inside, (own - inside) @ (own - inside)], rel=1e-3)


def test_paraphrases_are_marked_by_their_own_spans(tiny_lm):
    texts, facts = inputs(tiny_lm)
    for text, fact, sample in zip(texts, facts, SAMPLES, strict=True):
        held = [t for t, gold in zip(fact.encoding.response_texts, fact.gold, strict=True) if gold]
        assert "".join(held).strip() == sample.facts[0] and fact.gold[0] and not text.gold[0]
        assert fact.encoding.question == sample.paraphrased_question
    assert Text.paraphrase(tiny_lm, make_sample(0, 0)) is None


def test_a_text_that_defines_the_subspace_is_all_signal(tiny_lm):
    texts, _ = inputs(tiny_lm)
    measured = token_gradients(tiny_lm, texts[:1], texts[:1])
    ((signal, noise),) = splits(measured, [texts[0].gold])
    assert noise < 1e-5 * signal


def test_adapters_are_measured_by_their_second_factors(tiny_lm):
    texts, facts = inputs(tiny_lm)
    encodings = [t.encoding for t in texts]
    before = response_nll(tiny_lm, encodings)
    measured = token_gradients(tiny_lm, texts, facts, UnlearnSettings(train="lora", lora_r=2))
    assert all(np.diag(m.products).min() > 0 for m in measured)
    assert not any("lora" in name for name, _ in tiny_lm.model.named_parameters())
    for a, b in zip(before, response_nll(tiny_lm, encodings), strict=True):
        assert torch.equal(a, b)


def test_tokens_alone_add_up_to_all(tiny_lm):
    measured = token_gradients(tiny_lm, *inputs(tiny_lm))
    inside, outside = (token_splits(measured, gold=side) for side in (True, False))
    totals = [np.trace(m.products) for m in measured]
    assert (inside + outside).sum(1) == pytest.approx(totals)


def test_figures_resample_groups_whole():
    rows = np.array([[4.0, 2.0], [4.0, 2.0], [1.0, 1.0], [1.0, 1.0]])
    value, low, high = snr(rows, [0, 0, 1, 1])
    assert value == pytest.approx(10 / 6) and low == pytest.approx(1.0) and high == pytest.approx(2.0)
    assert signal_share(rows, [0, 0, 1, 1])[0] == pytest.approx(10 / 16)
    assert snr_ratio(rows * [2.0, 1.0], rows, [0, 0, 1, 1]) == pytest.approx((2.0, 2.0, 2.0))


def test_figures_have_the_interval_of_95_percent():
    rows = np.array([[1.0, 0.0], [0.0, 1.0]] * 200)  # a share of .5 with a standard error of .025
    value, low, high = signal_share(rows, range(400))
    assert value == 0.5
    assert (low, high) == pytest.approx((0.5 - 1.96 * 0.025, 0.5 + 1.96 * 0.025), abs=0.004)


def test_a_direction_counts_however_short_it_is_and_once_however_often_it_comes():
    axes = torch.eye(4)
    plane = torch.rand(6, 2, generator=torch.Generator().manual_seed(0)) @ axes[:2]
    span = _Span.of([*plane, 1e-5 * axes[2], 0 * axes[3]])
    assert span.mix.shape[1] == 3
    assert np.square(span.coordinates(axes)).sum(1) == pytest.approx([1, 1, 1, 0], abs=1e-5)


def test_texts_without_facts_held_apart_are_refused(tiny_lm):
    texts, _ = inputs(tiny_lm)
    with pytest.raises(TokenUnlearnError, match="paraphrases with gold spans"):
        token_gradients(tiny_lm, texts, [])


def test_a_gain_counts_every_row_alike():
    others = np.array([[1.0, 1.0], [100.0, 100.0], [1.0, 1.0]])
    rows = others * [[4.0, 1.0], [1.0, 1.0], [0.0, 0.0]]  # the last one selects nothing
    assert snr_gain(rows, others, [0, 0, 1]) == pytest.approx((2.0, 2.0, 2.0))  # groups stay whole
    assert snr_ratio(rows, others, [0, 1, 2])[0] == pytest.approx((104 / 101) / (102 / 102))


def test_a_gain_of_rows_without_any_signal_is_nan():
    assert np.isnan(snr_gain(np.zeros((2, 2)), np.ones((2, 2)), [0, 1])).all()


def test_weights_that_select_nothing_have_no_ratio():
    assert np.isnan(snr(np.zeros((3, 2)), range(3))).all()
