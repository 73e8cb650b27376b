"""Objectives against naive loops and the published sequence-level losses."""

import math

import pytest
import torch

from tokenunlearn.errors import TokenUnlearnError
from tokenunlearn.objectives import (
    NPO,
    ForgetStep,
    gradient_ascent,
    kl_to_reference,
    make_objective,
    make_regularizer,
    npo,
)

LENGTHS = [5, 2, 7]


@pytest.fixture
def batch():
    generator = torch.Generator().manual_seed(3)
    mask = torch.arange(max(LENGTHS))[None] < torch.tensor(LENGTHS)[:, None]
    nll = torch.rand(mask.shape, generator=generator, dtype=torch.float64) * 3
    ref = torch.rand(mask.shape, generator=generator, dtype=torch.float64) * 3
    weights = torch.rand(mask.shape, generator=generator, dtype=torch.float64) * mask
    return nll, ref, weights, mask


def test_uniform_gradient_ascent_is_the_negative_cross_entropy_of_the_response():
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(3, 7, 11, generator=generator)
    labels = torch.randint(0, 11, (3, 7), generator=generator)
    mask = torch.arange(7)[None] < torch.tensor(LENGTHS)[:, None]
    published = -torch.nn.functional.cross_entropy(
        logits.flatten(0, 1), labels.masked_fill(~mask, -100).flatten()
    )
    step = ForgetStep(logits, labels, mask, mask.float())
    assert gradient_ascent(step.nll, step.weights).item() == pytest.approx(published.item(), abs=1e-6)


def test_uniform_npo_is_the_sequence_level_npo(batch):
    nll, ref, _, mask = batch
    beta, total = 0.3, 0.0
    for row, length in enumerate(LENGTHS):
        log_p = -sum(nll[row, t].item() for t in range(length))
        ref_log_p = -sum(ref[row, t].item() for t in range(length))
        total += 2 / beta * math.log(1 + math.exp(beta * (log_p - ref_log_p)))  # arXiv 2404.05868, equation 3
    assert npo(nll, ref, mask.double(), beta).item() == pytest.approx(total / len(LENGTHS), abs=1e-9)


def test_weighted_losses_equal_naive_loops(batch):
    nll, ref, weights, _ = batch
    weighted = total = 0.0
    for row in range(3):
        for t in range(LENGTHS[row]):
            weighted += weights[row, t].item() * nll[row, t].item()
            total += weights[row, t].item()
    assert gradient_ascent(nll, weights).item() == pytest.approx(-weighted / total)
    rises = [
        sum((weights[r, t] * (nll[r, t] - ref[r, t])).item() for t in range(LENGTHS[r])) for r in range(3)
    ]
    expected = sum(-2 / 0.7 * math.log(1 / (1 + math.exp(-0.7 * rise))) for rise in rises) / 3
    assert npo(nll, ref, weights, 0.7).item() == pytest.approx(expected)


@pytest.mark.parametrize("change", ["nll", "ref_nll"])
def test_padding_never_contributes(batch, change):
    nll, ref, weights, mask = batch
    noisy = (nll if change == "nll" else ref).masked_fill(~mask, 1e6)
    other = (noisy, ref) if change == "nll" else (nll, noisy)
    assert npo(*other, weights, 0.1) == npo(nll, ref, weights, 0.1)
    assert gradient_ascent(other[0], weights) == gradient_ascent(nll, weights)


def test_npo_gradient_fades_as_forgetting_proceeds():
    gradients = []
    for rise in (0.0, 10.0, 100.0):
        nll = torch.tensor([[rise]], requires_grad=True)
        npo(nll, torch.zeros(1, 1), torch.ones(1, 1), 0.1).backward()
        gradients.append(-nll.grad.item())
    assert gradients[0] == pytest.approx(1.0)
    assert gradients[0] > gradients[1] > gradients[2] > 0


def test_gradient_ascent_without_weight_is_zero_not_nan():
    assert gradient_ascent(torch.rand(2, 3), torch.zeros(2, 3)).item() == 0.0


def test_kl_equals_the_naive_sum_over_masked_tokens():
    generator = torch.Generator().manual_seed(5)
    logits, ref = torch.randn(2, 4, 9, generator=generator), torch.randn(2, 4, 9, generator=generator)
    mask = torch.tensor([[1, 1, 0, 0], [1, 1, 1, 1]], dtype=torch.bool)
    values = []
    for b in range(2):
        for t in range(4):
            if mask[b, t]:
                p, q = ref[b, t].softmax(-1), logits[b, t].softmax(-1)
                values.append(sum((p[v] * (p[v] / q[v]).log()).item() for v in range(9)))
    assert kl_to_reference(logits, ref, mask).item() == pytest.approx(sum(values) / len(values), abs=1e-6)
    assert kl_to_reference(ref, ref, mask).item() == 0.0
    noisy = logits.masked_fill(~mask[..., None], 1e4)
    assert kl_to_reference(noisy, ref, mask) == kl_to_reference(logits, ref, mask)


@pytest.mark.parametrize(
    ("name", "parameters", "message"),
    [
        ("nope", {}, "There is no objective"),
        ("npo", {"delta": 1.0}, 'no parameter "delta"; it takes beta'),
        ("gradient_ascent", {"beta": 1.0}, "takes no parameters"),
        ("npo", {"beta": 0.0}, "must be above 0"),
        ("npo", {"beta": float("nan")}, "must be a finite number"),
    ],
)
def test_wrong_objectives_are_refused_in_one_sentence(name, parameters, message):
    with pytest.raises(TokenUnlearnError, match=message):
        make_objective(name, parameters)


def test_names_lead_to_objectives_and_regularizers():
    assert make_objective("npo", {"beta": 0.5}) == NPO(0.5)
    assert make_regularizer("none") is None
    with pytest.raises(TokenUnlearnError, match="no regularizer"):
        make_regularizer("l2")
