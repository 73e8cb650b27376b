"""Every forget loss against a float64 oracle written as loops, on padded rows of unequal length."""

import math

import numpy as np
import pytest
import torch

from tokenunlearn.models.forward import token_nll
from tokenunlearn.objectives import (
    OBJECTIVES,
    ForgetStep,
    Refusals,
    RetainStep,
    activation_distance,
    alternative,
    altnpo,
    ceu,
    complement,
    dpo,
    gradient_ascent,
    idk,
    jensun,
    make_objective,
    make_regularizer,
    npo,
    pdu,
    rmu,
    simnpo,
    tpo,
    undial,
    wga,
)

LENGTHS, REFUSAL_LENGTHS, VOCAB, DIM = [5, 2, 7], [3, 4, 1], 11, 6
ROWS, TIME = len(LENGTHS), max(LENGTHS)


def log_softmax(row):
    return row - (np.max(row) + np.log(np.exp(row - np.max(row)).sum()))


def softplus(x):
    return math.log1p(math.exp(-abs(x))) + max(x, 0.0)


class Case:
    """Random float64 inputs; what lies in the padding is huge, so that any use of it shows."""

    def __init__(self, weighting):
        rng = np.random.default_rng(7)
        self.mask = np.arange(TIME)[None] < np.array(LENGTHS)[:, None]
        self.win_mask = np.arange(4)[None] < np.array(REFUSAL_LENGTHS)[:, None]
        self.logits, self.ref_logits = 3 * rng.standard_normal((2, ROWS, TIME, VOCAB))
        self.labels = rng.integers(0, VOCAB, (ROWS, TIME))
        self.hidden, self.control = rng.standard_normal((ROWS, TIME, DIM)), rng.standard_normal(DIM)
        self.win, self.ref_win = 4 * rng.random((2, ROWS, 4))
        self.win_labels = rng.integers(0, VOCAB, (ROWS, 4))
        weights = {
            "uniform": np.ones((ROWS, TIME)),
            "soft": 2 * rng.random((ROWS, TIME)),
            "hard": (rng.random((ROWS, TIME)) > 0.5) * 1.0,
        }[weighting]
        weights[:, 0] = np.maximum(weights[:, 0], 0.5)  # no row without any weight
        self.weights = weights * self.mask
        self.nll, self.ref_nll = self._nll(self.logits), self._nll(self.ref_logits)
        for values in (self.logits, self.ref_logits, self.hidden, self.nll, self.ref_nll):
            values[~self.mask] = 1e3 * rng.random(values[~self.mask].shape)
        self.win[~self.win_mask] = self.ref_win[~self.win_mask] = 1e6

    def _nll(self, logits):
        return np.array(
            [[-log_softmax(logits[b, t])[self.labels[b, t]] for t in range(TIME)] for b in range(ROWS)]
        )

    def __getattr__(self, name):
        """A torch tensor under the name with "t_" before it."""
        if not name.startswith("t_"):
            raise AttributeError(name)
        return torch.tensor(getattr(self, name[2:]))

    def tokens(self):
        return [(b, t) for b in range(ROWS) for t in range(LENGTHS[b])]

    def token_mean(self, value):
        total = sum(self.weights[b, t] for b, t in self.tokens())
        return sum(self.weights[b, t] * value(b, t) for b, t in self.tokens()) / total

    def sequence_sum(self, value, b):
        return sum(self.weights[b, t] * value(b, t) for t in range(LENGTHS[b]))

    def sequence_mean(self, value, b):
        return self.sequence_sum(value, b) / sum(self.weights[b, t] for t in range(LENGTHS[b]))


@pytest.fixture(params=["uniform", "soft", "hard"])
def case(request):
    return Case(request.param)


def test_gradient_ascent(case):
    expected = -case.token_mean(lambda b, t: case.nll[b, t])
    assert gradient_ascent(case.t_nll, case.t_weights).item() == pytest.approx(expected, abs=1e-6)


def test_wga(case):
    expected = -case.token_mean(lambda b, t: math.exp(-case.nll[b, t]) ** 1.5 * case.nll[b, t])
    assert wga(case.t_nll, case.t_weights, 1.5).item() == pytest.approx(expected, abs=1e-6)
    assert wga(case.t_nll, case.t_weights, 0.0) == gradient_ascent(case.t_nll, case.t_weights)


def test_npo(case):
    beta = 0.3
    expected = np.mean(
        [
            2
            / beta
            * softplus(-beta * case.sequence_sum(lambda b, t: case.nll[b, t] - case.ref_nll[b, t], b))
            for b in range(ROWS)
        ]
    )
    assert npo(case.t_nll, case.t_ref_nll, case.t_weights, beta).item() == pytest.approx(expected, abs=1e-6)


def test_simnpo(case):
    beta, delta = 2.5, 0.4
    expected = np.mean(
        [
            2 / beta * softplus(-beta * (case.sequence_mean(lambda b, t: case.nll[b, t], b) - delta))
            for b in range(ROWS)
        ]
    )
    assert simnpo(case.t_nll, case.t_weights, beta, delta).item() == pytest.approx(expected, abs=1e-6)


def test_dpo(case):
    beta, expected = 0.2, 0.0
    for b in range(ROWS):
        win = sum(case.ref_win[b, t] - case.win[b, t] for t in range(REFUSAL_LENGTHS[b]))
        lose = case.sequence_sum(lambda b, t: case.ref_nll[b, t] - case.nll[b, t], b)
        expected += 2 / beta * softplus(-beta * (win - lose)) / ROWS
    found = dpo(case.t_win, case.t_ref_win, case.t_win_mask, case.t_nll, case.t_ref_nll, case.t_weights, beta)
    assert found.item() == pytest.approx(expected, abs=1e-6)


def test_rmu(case):
    expected = np.mean(
        [
            case.sequence_mean(
                lambda b, t: sum((case.hidden[b, t, d] - case.control[d]) ** 2 for d in range(DIM)) / DIM, b
            )
            for b in range(ROWS)
        ]
    )
    assert rmu(case.t_hidden, case.t_weights, case.t_control).item() == pytest.approx(expected, abs=1e-6)


def test_undial(case):
    beta = 10.0

    def cross_entropy(b, t):
        target = case.ref_logits[b, t].copy()
        target[case.labels[b, t]] -= beta
        return -(np.exp(log_softmax(target)) * log_softmax(case.logits[b, t])).sum()

    found = undial(case.t_logits, case.t_ref_logits, case.t_labels, case.t_weights, beta)
    assert found.item() == pytest.approx(case.token_mean(cross_entropy), abs=1e-6)


def test_ceu(case):
    def cross_entropy(b, t):
        others = [v for v in range(VOCAB) if v != case.labels[b, t]]
        target = np.exp(log_softmax(case.logits[b, t][others]))
        return -(target * log_softmax(case.logits[b, t])[others]).sum()

    found = ceu(case.t_logits, case.t_labels, case.t_weights)
    assert found.item() == pytest.approx(case.token_mean(cross_entropy), abs=1e-6)


def test_complement(case):
    def cross_entropy(b, t):
        others = [v for v in range(VOCAB) if v != case.labels[b, t]]
        target = np.exp(log_softmax(case.ref_logits[b, t][others]))
        return -(target * log_softmax(case.logits[b, t])[others]).sum()

    arguments = case.t_logits, case.t_ref_logits, case.t_labels, case.t_weights
    assert complement(*arguments).item() == pytest.approx(case.token_mean(cross_entropy), abs=1e-6)
    assert complement(*arguments).item() == pytest.approx(undial(*arguments, 1e6).item(), abs=1e-9)
    own = complement(case.t_logits, case.t_logits, case.t_labels, case.t_weights)
    assert own.item() == pytest.approx(ceu(case.t_logits, case.t_labels, case.t_weights).item(), abs=1e-9)


def test_alternative(case):
    ids = torch.arange(ROWS * TIME).reshape(ROWS, TIME) % VOCAB

    def nll(b, t):
        return -log_softmax(case.logits[b, t])[ids[b, t]]

    found = alternative(case.t_logits, ids, case.t_weights)
    assert found.item() == pytest.approx(case.token_mean(nll), abs=1e-6)


def test_altnpo(case):
    ids = torch.arange(ROWS * TIME).reshape(ROWS, TIME) % VOCAB
    towards = token_nll(case.t_logits, ids)
    arguments = case.t_nll, case.t_ref_nll, towards, case.t_weights
    away = npo(case.t_nll, case.t_ref_nll, case.t_weights, 0.3).item()
    means = []
    for b in range(ROWS):
        nll = [-log_softmax(case.logits[b, t])[ids[b, t]] for t in range(LENGTHS[b])]
        w = case.weights[b, : LENGTHS[b]]
        means.append(sum(w * nll) / sum(w))
    assert altnpo(*arguments, 0.3, 0.0).item() == pytest.approx(away, abs=1e-9)
    assert altnpo(*arguments, 0.3, 0.7).item() == pytest.approx(away + 0.7 * np.mean(means), abs=1e-6)


def test_altnpo_of_a_row_without_weight_is_that_of_npo_alone(case):
    left = case.t_weights
    left[0] = 0
    towards = token_nll(case.t_logits, case.t_labels)
    rest = altnpo(*(x[1:] for x in (case.t_nll, case.t_ref_nll, towards, left)), 0.3, 0.7).item()
    whole = altnpo(case.t_nll, case.t_ref_nll, towards, left, 0.3, 0.7).item()
    assert whole == pytest.approx((2 * rest + 2 / 0.3 * math.log(2)) / 3, abs=1e-9)


def test_idk(case):
    expected = np.mean([case.win[b, : REFUSAL_LENGTHS[b]].mean() for b in range(ROWS)])
    assert idk(case.t_win, case.t_win_mask, case.t_weights).item() == pytest.approx(expected, abs=1e-6)
    left = case.t_weights
    left[0] = 0
    expected = sum(case.win[b, : REFUSAL_LENGTHS[b]].mean() for b in (1, 2)) / ROWS
    assert idk(case.t_win, case.t_win_mask, left).item() == pytest.approx(expected, abs=1e-6)


def divergence(p, q):
    mean = (p + q) / 2
    return sum((x * np.log(x / mean, where=x > 0, out=np.zeros(VOCAB))).sum() for x in (p, q)) / 2


def test_jensun(case):
    def to_refusal(b, t):
        target = case.win_labels[b, t % REFUSAL_LENGTHS[b]]
        return divergence(np.exp(log_softmax(case.logits[b, t])), np.eye(VOCAB)[target])

    assert make_objective("jensun", {}).loss(step_of(case)).item() == pytest.approx(
        case.token_mean(to_refusal), abs=1e-6
    )


def test_jensun_lies_between_0_and_log_2():
    nll = torch.tensor([[0.0, 1.0, 700.0]], dtype=torch.float64)
    for place, expected in ((0, 0.0), (2, math.log(2))):
        assert jensun(nll, torch.eye(3)[None, place]).item() == pytest.approx(expected, abs=1e-12)


def test_jensen_shannon_divergence_from_the_reference():
    case = Case("uniform")
    p, q = (np.exp([[log_softmax(row) for row in z] for z in x]) for x in (case.logits, case.ref_logits))
    step = RetainStep(case.t_logits, case.t_labels, case.t_mask, ref_hidden=case.t_ref_logits)
    expected = np.mean([divergence(p[b, t], q[b, t]) for b, t in case.tokens()])
    assert make_regularizer("js").loss(step).item() == pytest.approx(expected, abs=1e-6)


def test_pdu(case):
    expected = case.token_mean(lambda b, t: (max(case.logits[b, t]) - sum(case.logits[b, t]) / VOCAB) ** 2)
    assert pdu(case.t_logits, case.t_weights).item() == pytest.approx(expected, abs=1e-6)


def test_tpo(case):
    beta = 0.3
    z, ref_z = (
        np.array([[logits[b, t, case.labels[b, t]] for t in range(TIME)] for b in range(ROWS)])
        for logits in (case.logits, case.ref_logits)
    )
    preference = np.mean(
        [
            2 / beta * softplus(-beta * case.sequence_mean(lambda b, t: ref_z[b, t] - z[b, t], b))
            for b in range(ROWS)
        ]
    )
    left = {token: max(0.0, 1.0 - case.weights[token]) for token in case.tokens()}
    total = sum(left.values())
    kept = sum(left[token] * case.nll[token] for token in left) / total if total else 0.0
    found = tpo(torch.tensor(z), torch.tensor(ref_z), case.t_nll, case.t_weights, case.t_mask, beta)
    assert found.item() == pytest.approx(preference + kept, abs=1e-6)


IGNORED = {
    "ceu": lambda logits, case, labels, weights: ceu(logits, labels, weights),
    "undial": lambda logits, case, labels, weights: undial(logits, case.t_ref_logits, labels, weights, 10.0),
    "complement": lambda logits, case, labels, weights: complement(
        logits, case.t_ref_logits, labels, weights
    ),
    "alternative": lambda logits, case, labels, weights: alternative(logits, labels, weights),
    "gradient_ascent": lambda logits, case, labels, weights: gradient_ascent(
        token_nll(logits, labels), case.t_weights
    ),
}


@pytest.mark.parametrize("name", IGNORED)
def test_labels_of_minus_100_are_outside_the_response(case, name):
    ignored = case.t_labels.masked_fill(~case.t_mask, -100)
    heavy = case.t_weights.masked_fill(~case.t_mask, 5.0)  # a weight there counts for nothing
    expected = IGNORED[name](case.t_logits, case, case.t_labels, case.t_weights)
    logits = case.t_logits.requires_grad_()
    loss = IGNORED[name](logits, case, ignored, heavy)
    assert loss.item() == pytest.approx(expected.item(), abs=1e-9)
    loss.backward()
    assert (logits.grad[~case.t_mask] == 0).all()
    assert (logits.grad[case.t_weights > 0].abs().sum(-1) > 0).all()


def test_a_batch_of_prompts_alone_has_loss_0():
    case = Case("uniform")
    ignored = torch.full_like(case.t_labels, -100)
    assert ceu(case.t_logits, ignored, case.t_weights).item() == 0.0
    assert undial(case.t_logits, case.t_ref_logits, ignored, case.t_weights, 10.0).item() == 0.0


def test_activation_distance():
    case = Case("uniform")
    other = case.t_hidden + 0.5 * torch.ones(DIM) * case.t_mask.unsqueeze(-1)
    assert activation_distance(case.t_hidden, case.t_hidden, case.t_mask).item() == 0.0
    assert activation_distance(other, case.t_hidden, case.t_mask).item() == pytest.approx(0.25, abs=1e-6)
    other[~case.mask] = -1e6
    assert activation_distance(other, case.t_hidden, case.t_mask).item() == pytest.approx(0.25, abs=1e-6)


def step_of(case, requires_grad=False):
    logits = case.t_logits.requires_grad_(requires_grad)
    return ForgetStep(
        logits,
        case.t_labels,
        case.t_mask,
        case.t_weights,
        ref_nll=case.t_ref_nll,
        ref_hidden=case.t_ref_logits,
        base_nll=case.t_ref_nll,
        states=case.t_hidden.requires_grad_(requires_grad),
        control=case.t_control,
        refusals=Refusals(
            case.t_win_labels, case.t_win.requires_grad_(requires_grad), case.t_ref_win, case.t_win_mask
        ),
        alternatives=case.t_labels.flip(-1),
    )


def alternative_nll(c):
    return token_nll(c.t_logits, c.t_labels.flip(-1))


def own_logits(logits, labels):
    return logits.gather(-1, labels.unsqueeze(-1)).squeeze(-1)


# Objective -> parameters, and the function of what a step offers that its loss is.
LOSSES = {
    "altnpo": (
        {"beta": 0.3, "alpha": 0.7},
        lambda c: altnpo(c.t_nll, c.t_ref_nll, alternative_nll(c), c.t_weights, 0.3, 0.7),
    ),
    "npo": ({"beta": 0.3}, lambda c: npo(c.t_nll, c.t_ref_nll, c.t_weights, 0.3)),
    "gradient_ascent": ({}, lambda c: gradient_ascent(c.t_nll, c.t_weights)),
    "graddiff": ({}, lambda c: gradient_ascent(c.t_nll, c.t_weights)),
    "wga": ({"beta": 1.5}, lambda c: wga(c.t_nll, c.t_weights, 1.5)),
    "simnpo": ({"beta": 0.7, "delta": 0.4}, lambda c: simnpo(c.t_nll, c.t_weights, 0.7, 0.4)),
    "dpo": (
        {"beta": 0.2},
        lambda c: dpo(c.t_win, c.t_ref_win, c.t_win_mask, c.t_nll, c.t_ref_nll, c.t_weights, 0.2),
    ),
    "rmu": ({"coefficient": 3.0}, lambda c: rmu(c.t_hidden, c.t_weights, 3.0 * c.t_control)),
    "undial": (
        {"beta": 4.0},
        lambda c: undial(c.t_logits, c.t_ref_logits, c.t_labels, c.t_weights, 4.0),
    ),
    "ceu": ({}, lambda c: ceu(c.t_logits, c.t_labels, c.t_weights)),
    "pdu": ({}, lambda c: pdu(c.t_logits, c.t_weights)),
    "tpo": (
        {"beta": 0.01},
        lambda c: tpo(
            own_logits(c.t_logits, c.t_labels),
            own_logits(c.t_ref_logits, c.t_labels),
            c.t_nll,
            c.t_weights,
            c.t_mask,
            0.01,
        ),
    ),
    "complement": ({}, lambda c: complement(c.t_logits, c.t_ref_logits, c.t_labels, c.t_weights)),
    "alternative": ({}, lambda c: alternative(c.t_logits, c.t_labels.flip(-1), c.t_weights)),
    "idk": ({}, lambda c: idk(c.t_win, c.t_win_mask, c.t_weights)),
}


@pytest.mark.parametrize("name", sorted(OBJECTIVES.keys() - {"jensun"}))
def test_an_objective_gives_its_function_what_the_step_offers(case, name):
    parameters, loss = LOSSES[name]
    found = make_objective(name, parameters).loss(step_of(case)).item()
    assert found == pytest.approx(loss(case).item(), abs=1e-9)


@pytest.mark.parametrize("name", sorted(OBJECTIVES.keys() - {"idk"}))
def test_padding_has_no_gradient_and_no_weight_has_none(case, name):
    step = step_of(case, requires_grad=True)
    make_objective(name, {}).loss(step).backward()
    source = step.states if name == "rmu" else step.logits
    per_token = source.grad.abs().sum(-1).numpy()
    assert (per_token[~case.mask] == 0).all()
    assert np.isfinite(per_token).all()
    assert (per_token[(case.weights > 0) & case.mask] > 0).all()
    if name != "tpo":  # TPO learns the unselected tokens
        assert (per_token[case.weights == 0] == 0).all()


def test_idk_raises_the_refusals_of_samples_with_a_weight():
    case = Case("hard")
    step = step_of(case, requires_grad=True)
    step.weights[1] = 0
    make_objective("idk", {}).loss(step).backward()
    assert step.logits.grad is None
    raised = case.win_mask & np.array([[True], [False], [True]])
    assert ((step.refusals.nll.grad > 0).numpy() == raised).all()


@pytest.mark.parametrize("name", OBJECTIVES)
def test_a_batch_without_any_weight_has_a_finite_loss_and_no_gradient(name):
    case = Case("uniform")
    step = step_of(case, requires_grad=True)
    step.weights = torch.zeros_like(step.weights)
    if name == "tpo":
        step.weights += ~step.mask  # all is unselected: only the NLL of every token is left
    loss = make_objective(name, {}).loss(step)
    assert math.isfinite(loss.item())
    loss.backward()
    grads = [s.grad for s in (step.logits, step.states) if s.grad is not None]
    assert all(torch.isfinite(g).all() for g in grads)
    if name == "idk":
        assert not step.refusals.nll.grad.any()
    if name != "tpo":
        assert all(float(g.abs().sum()) == 0.0 for g in grads)


def test_undial_reaches_its_minimum_at_its_target():
    case = Case("uniform")
    target = case.t_ref_logits.scatter_add(
        -1, case.t_labels.unsqueeze(-1), torch.full((ROWS, TIME, 1), -10.0, dtype=torch.float64)
    )
    best = undial(target, case.t_ref_logits, case.t_labels, case.t_weights, 10.0)
    assert best < undial(case.t_ref_logits, case.t_ref_logits, case.t_labels, case.t_weights, 10.0)
    logits = target.clone().requires_grad_()
    undial(logits, case.t_ref_logits, case.t_labels, case.t_weights, 10.0).backward()
    assert logits.grad.abs().max() < 1e-9


def test_ceu_takes_probability_from_the_label_only():
    logits = torch.randn(1, 1, VOCAB, dtype=torch.float64, requires_grad=True)
    label = torch.tensor([[3]])
    ceu(logits, label, torch.ones(1, 1)).backward()
    p = logits.detach().softmax(-1)[0, 0]
    expected = -p * p[3] / (1 - p[3])  # p - target for every other token
    expected[3] = p[3]
    assert torch.allclose(logits.grad[0, 0], expected, atol=1e-9)


def test_pdu_follows_its_bound_after_the_warm_up():
    objective = make_objective("pdu", {"bound": 0.5, "dual_step": 2.0, "warmup": 3.0})
    assert objective.next_lambda(10.0, 0.9, 3) == 10.0
    assert objective.next_lambda(10.0, 0.9, 4) == pytest.approx(10.8)
    assert objective.next_lambda(0.1, 0.0, 4) == 0.0
    assert make_objective("npo", {}).next_lambda(10.0, 0.9, 40) == 10.0


def test_half_precision_logits_are_raised_to_float32():
    case = Case("soft")
    half = case.t_logits.bfloat16()
    found = undial(half, half, case.t_labels, case.t_weights.float(), 10.0)
    exact = undial(half.double(), half.double(), case.t_labels, case.t_weights, 10.0)
    assert found.item() == pytest.approx(exact.item(), abs=1e-4)
