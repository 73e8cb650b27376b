"""Weightings against loops, their scale, the budget of the controls, and that no gradient flows through."""

import math

import numpy as np
import pytest
import torch

from tokenunlearn.errors import TokenUnlearnError
from tokenunlearn.objectives import (
    WEIGHTINGS,
    ForgetStep,
    etw_weights,
    make_objective,
    make_weighting,
    satimp_weights,
    su_weights,
    tnpo_weights,
    wga,
    wga_weights,
    wtnpo_weights,
)

LENGTHS, VOCAB = [5, 2, 7], 9
MASK = torch.arange(max(LENGTHS))[None] < torch.tensor(LENGTHS)[:, None]


@pytest.fixture
def step():
    generator = torch.Generator().manual_seed(4)
    logits, ref = torch.randn(2, *MASK.shape, VOCAB, generator=generator, dtype=torch.float64)
    labels = torch.randint(0, VOCAB, MASK.shape, generator=generator)
    nll = torch.rand(2, *MASK.shape, generator=generator, dtype=torch.float64) * 3
    weights = (torch.rand(MASK.shape, generator=generator) > 0.5) * MASK * 1.0
    return ForgetStep(
        logits.requires_grad_(), labels, MASK, weights.double(), nll[0], ref_hidden=ref, base_nll=nll[1]
    )


def by_loop(value):
    rows = np.zeros(MASK.shape)
    for b, length in enumerate(LENGTHS):
        for t in range(length):
            rows[b, t] = value(b, t)
    return rows


def close(found, expected):
    return np.allclose(found.detach().numpy(), expected, atol=1e-9)


def test_formulas_equal_loops_over_probabilities(step):
    nll, ref = step.nll, step.ref_nll
    p = lambda b, t: math.exp(-nll[b, t].item())  # noqa: E731
    q = lambda b, t: math.exp(-ref[b, t].item())  # noqa: E731
    assert close(wga_weights(nll, MASK, 2.0), by_loop(lambda b, t: p(b, t) ** 2))
    assert close(
        satimp_weights(nll, MASK, 5.0, 0.1), by_loop(lambda b, t: p(b, t) ** 5 * (1 - p(b, t)) ** 0.1)
    )
    assert close(
        tnpo_weights(nll, ref, MASK, 4.0),
        by_loop(lambda b, t: 2 * p(b, t) ** 4 / (p(b, t) ** 4 + q(b, t) ** 4)),
    )
    assert close(
        wtnpo_weights(nll, ref, MASK, 4.0, 1.5),
        by_loop(lambda b, t: 2 * p(b, t) ** 5.5 / (p(b, t) ** 4 + q(b, t) ** 4)),
    )


def test_tnpo_is_one_at_the_start_even_where_the_reference_is_unlikely():
    nll = torch.tensor([[0.1, 5.0, 80.0]], dtype=torch.float64)
    assert torch.allclose(
        tnpo_weights(nll, nll, torch.ones(1, 3, dtype=torch.bool), 4.0), torch.ones(1, 3).double()
    )


def test_etw_is_the_share_of_entropy_in_the_response(step):
    def entropy(b, t):
        p = (step.logits[b, t] / 2.0).softmax(-1).detach().numpy()
        return -(p * np.log(p)).sum()

    total = [sum(entropy(b, t) for t in range(n)) for b, n in enumerate(LENGTHS)]
    expected = by_loop(lambda b, t: LENGTHS[b] * entropy(b, t) / total[b])
    assert np.allclose(etw_weights(step.logits, MASK, 2.0).numpy(), expected, atol=1e-6)


def test_su_selects_what_only_the_trained_model_knows_and_its_neighbours():
    mask = torch.tensor([[1, 1, 1, 1, 1, 1, 1, 1, 0]], dtype=torch.bool)
    nll = torch.zeros(1, 9, dtype=torch.float64)
    base = nll.clone()
    base[0, 5], base[0, 8] = 9.0, 9.0  # the second lies in the padding
    assert su_weights(nll, base, mask, 0.0, 0).tolist() == [[0, 0, 0, 0, 0, 1, 0, 0, 0]]
    assert su_weights(nll, base, mask, 0.0, 2).tolist() == [[0, 0, 0, 1, 1, 1, 1, 1, 0]]
    base[0, 1] = 0.5
    gaps = [0, 1 - math.exp(-0.5), 0, 0, 0, 1 - math.exp(-9), 0, 0]
    for k in (-0.5, 0.2, 0.8, 3.0):
        bar = np.mean(gaps) + k * np.std(gaps)
        assert su_weights(nll, base, mask, k, 0)[0, :8].tolist() == [float(g > bar) for g in gaps]
    assert su_weights(nll, nll, mask, 0.0, 2).sum() == 0
    one = torch.tensor([[0.3]])
    assert su_weights(one, one + 1, one > 0, 0.0, 2).sum() == 0


@pytest.mark.parametrize("name", WEIGHTINGS)
def test_weightings_are_detached_zero_in_padding_and_of_mean_one(step, name):
    weighting = make_weighting(name, {})
    weights = weighting.weights(step, published_scale=False)
    assert not weights.requires_grad
    assert (weights[~MASK] == 0).all() and (weights >= 0).all()
    if weighting.uses_selection:
        assert torch.equal(weights, step.weights)  # hard weights stay 1
    else:
        assert torch.allclose(weights.double().sum(-1), torch.tensor(LENGTHS).double(), atol=1e-6)


@pytest.mark.parametrize(("name", "parameters"), [("satimp", {}), ("wga", {"beta": 5.0})])
def test_weights_of_improbable_tokens_have_mean_one_too(name, parameters):
    nll = torch.tensor([[19.0, 19.5, 22.0], [18.5, 0.0, 0.0], [50.0, 60.0, 0.0]])  # p^5 < 1e-38, or 0
    logits = torch.stack([-nll, torch.zeros_like(nll)], dim=-1)  # label 0 of two
    mask = torch.tensor([[1, 1, 1], [1, 0, 0], [1, 1, 0]], dtype=torch.bool)
    step = ForgetStep(logits, torch.zeros_like(mask, dtype=torch.long), mask, mask.float())
    weights = make_weighting(name, parameters).weights(step, published_scale=False)
    assert weights.sum(-1).tolist() == pytest.approx([3, 1, 0])
    assert (weights[:, :-1] >= weights[:, 1:]).all()


@pytest.mark.parametrize("name", [n for n, w in WEIGHTINGS.items() if not w.uses_selection])
@pytest.mark.parametrize("objective", ["gradient_ascent", "npo", "simnpo", "ceu"])
def test_no_gradient_flows_through_the_weights(step, name, objective):
    weighting = make_weighting(name, {})
    step.weights = weighting.weights(step, published_scale=False)
    make_objective(objective, {}).loss(step).backward()
    through_weighting = step.logits.grad.clone()
    fixed = ForgetStep(
        step.logits.detach().requires_grad_(), step.labels, MASK, step.weights.clone(), step.ref_nll
    )
    make_objective(objective, {}).loss(fixed).backward()
    assert torch.allclose(through_weighting, fixed.logits.grad, atol=1e-12)


PUBLISHED = {  # weighting -> parameters, and the function of what a step offers that its weights are
    "selection": ({}, lambda s: s.weights),
    "wga": ({"beta": 2.0}, lambda s: wga_weights(s.nll, MASK, 2.0)),
    "satimp": ({"beta1": 2.0, "beta2": 0.5}, lambda s: satimp_weights(s.nll, MASK, 2.0, 0.5)),
    "tnpo": ({"beta": 3.0}, lambda s: tnpo_weights(s.nll, s.ref_nll, MASK, 3.0)),
    "wtnpo": ({"beta": 3.0, "alpha": 0.5}, lambda s: wtnpo_weights(s.nll, s.ref_nll, MASK, 3.0, 0.5)),
    "etw": ({"temperature": 2.0}, lambda s: etw_weights(s.logits, MASK, 2.0)),
    "su": ({"k": 0.5, "context": 1}, lambda s: su_weights(s.ref_nll, s.base_nll, MASK, 0.5, 1)),
}


@pytest.mark.parametrize("name", WEIGHTINGS)
def test_published_scale_leaves_the_formula_as_it_is(step, name):
    parameters, formula = PUBLISHED[name]
    found = make_weighting(name, parameters).weights(step, published_scale=True)
    assert torch.allclose(found.double(), formula(step).double(), atol=1e-6)


def test_wga_objective_detaches_its_factors():
    nll = torch.tensor([[0.5, 1.0]], dtype=torch.float64, requires_grad=True)
    wga(nll, torch.ones(1, 2).double(), 1.0).backward()
    assert torch.allclose(nll.grad, -(-nll.detach()).exp() / 2)


@pytest.mark.parametrize(
    ("name", "parameters", "message"),
    [
        ("nope", {}, "There is no weighting"),
        ("wga", {"delta": 1.0}, 'The weighting "wga" has no parameter "delta"; it takes beta'),
        ("wga", {"beta": -1.0}, "must be at least 0"),
        ("etw", {"temperature": 0.0}, "must be above 0"),
        ("su", {"k": float("inf")}, "must be a finite number"),
    ],
)
def test_wrong_weightings_are_refused_in_one_sentence(name, parameters, message):
    with pytest.raises(TokenUnlearnError, match=message):
        make_weighting(name, parameters)
