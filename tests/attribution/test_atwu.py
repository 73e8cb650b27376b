"""ATWU's scorer against hand-written loops in float64; its budget, retain conflict and determinism."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from tokenunlearn.attribution.atwu import AtwuScorer, AtwuSettings, atwu_scores, atwu_terms, fit_atwu
from tokenunlearn.datasets.samples import Sample
from tokenunlearn.errors import TokenUnlearnError
from tokenunlearn.models.forward import response_nll

LENGTHS, DIM = [7, 2, 5], 6
SAMPLES = [
    Sample("a", "Where was Ada Miller born?", "Ada Miller was born in Lisbon, the old harbour town."),
    Sample("b", "Who?", "老舍 🎉"),
    Sample("c", "Which prize did the author win in that year?", "x"),
]
RETAINED = [
    Sample("d", "Who won the prize?", "Bram Holt won the Silver Pen."),
    Sample("e", "Why?", "Because."),
]


@pytest.fixture
def tokens():
    generator = torch.Generator().manual_seed(3)
    draw = {"generator": generator, "dtype": torch.float64}
    forget, retain = torch.randn(sum(LENGTHS), DIM, **draw), torch.randn(9, DIM, **draw) + 0.5
    return forget, 2 * torch.rand(len(forget), **draw), retain, 2 * torch.rand(len(retain), **draw)


def by_hand(weight, bias, tokens, settings):
    """The five terms and the gradient of the whole loss, number by number."""
    forget, nll, retain, retain_nll = (x.tolist() for x in tokens)
    terms = dict.fromkeys(("forget", "entropy", "budget", "l2", "retain"), 0.0)
    gradient = np.zeros(DIM + 1)

    def score(h):
        return 1 / (1 + math.exp(-sum(a * b for a, b in zip(weight, h, strict=True)) - bias))

    def add(h, g, slope):
        gradient[:] += slope * g * (1 - g) * np.array([*h, 1.0])

    at = 0
    for length in LENGTHS:
        places = range(at, at + length)
        share = sum(score(forget[t]) > 0.5 for t in places) / length
        terms["budget"] += (share - settings.budget) ** 2 / len(LENGTHS)
        for t in places:
            g = score(forget[t])
            saturation = math.exp(-g * nll[t]) ** settings.beta  # a constant to the gradient
            terms["forget"] += g * nll[t] * saturation / len(forget)
            terms["entropy"] -= (g * math.log(g) + (1 - g) * math.log(1 - g)) / len(forget)
            slope = -settings.forget_strength * nll[t] * saturation / len(forget)
            slope += settings.entropy_strength * math.log((1 - g) / g) / len(forget)
            slope += settings.budget_strength * 2 * (share - settings.budget) / length / len(LENGTHS)
            add(forget[t], g, slope)
        at += length
    for h, loss in zip(retain, retain_nll, strict=True):
        g, factor = score(h), loss if settings.conflict == "nll" else 1.0
        terms["retain"] += g * factor / len(retain)
        add(h, g, settings.retain_strength * factor / len(retain))
    terms["l2"] = sum(w * w for w in weight) + bias**2
    gradient += 2 * settings.l2_strength * np.array([*weight, bias])
    return terms, gradient


SETTINGS = [
    AtwuSettings(),
    AtwuSettings(
        beta=1.5,
        budget=0.4,
        forget_strength=3.0,
        entropy_strength=0.5,
        budget_strength=2.0,
        l2_strength=0.1,
        retain_strength=0.7,
        conflict="nll",
        clip=0.3,
    ),
]


@pytest.mark.parametrize("settings", SETTINGS)
def test_terms_and_gradient_equal_the_formulas_by_hand(tokens, settings):
    generator = torch.Generator().manual_seed(5)
    weight = torch.randn(DIM, generator=generator, dtype=torch.float64).requires_grad_()
    bias = torch.tensor(-0.3, dtype=torch.float64, requires_grad=True)
    found = atwu_terms(AtwuScorer(weight, bias), *tokens, LENGTHS, settings)
    terms, gradient = by_hand(weight.tolist(), bias.item(), tokens, settings)
    assert {k: v.item() for k, v in found._asdict().items()} == pytest.approx(terms, abs=1e-12)
    loss = found.loss(settings)
    assert loss.item() == pytest.approx(
        settings.retain_strength * terms["retain"]
        - settings.forget_strength * terms["forget"]
        + settings.entropy_strength * terms["entropy"]
        + settings.budget_strength * terms["budget"]
        + settings.l2_strength * terms["l2"]
    )
    loss.backward()
    assert np.allclose([*weight.grad.tolist(), bias.grad.item()], gradient, atol=1e-12)


@pytest.mark.parametrize("settings", SETTINGS)
def test_steps_are_clipped_descent_with_momentum_and_a_falling_rate(tokens, settings):
    steps = 8
    values, velocity = np.zeros(DIM + 1), np.zeros(DIM + 1)
    for step in range(steps):
        _, gradient = by_hand(values[:-1].tolist(), values[-1], tokens, settings)
        gradient *= min(1.0, settings.clip / np.linalg.norm(gradient))
        velocity = 0.9 * velocity + gradient
        values = values - 0.05 * (1 - step / steps) * velocity
    scorer = fit_atwu(*tokens, steps=steps, lengths=LENGTHS, settings=settings)
    assert np.allclose([*scorer.weight.tolist(), scorer.bias.item()], values, atol=1e-5)
    assert not scorer.weight.requires_grad and not scorer.bias.requires_grad


def test_the_start_gives_every_token_a_half(tokens):
    scorer = fit_atwu(*tokens, steps=0)
    assert (scorer.scores(tokens[0]) == 0.5).all() and (scorer.scores(tokens[2].half()) == 0.5).all()
    assert scorer.weight.dtype == torch.float64
    assert (
        AtwuScorer.zero(torch.ones(2, 3).bfloat16()).scores(torch.ones(2, 3).bfloat16()).tolist() == [0.5] * 2
    )


def clusters(seed):
    """Forget tokens of which every fourth lies apart, and retained tokens that lie with the others."""
    generator = torch.Generator().manual_seed(seed)
    forget, retain = torch.randn(240, 16, generator=generator), torch.randn(200, 16, generator=generator)
    apart = torch.arange(240) % 4 == 0
    forget[apart, 0] += 3.0
    return forget, torch.full((240,), 1e-3), retain, torch.full((200,), 1e-3), apart


@pytest.mark.parametrize("budget", [0.1, 0.2, 0.4])
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.slow
def test_the_selected_share_nears_the_budget(seed, budget):
    forget, nll, retain, retain_nll, apart = clusters(seed)
    settings = AtwuSettings(budget=budget)
    scorer = fit_atwu(forget, nll, retain, retain_nll, lengths=[24] * 10, settings=settings)
    scores = scorer.scores(forget)
    assert (scores > 0.5).float().mean().item() == pytest.approx(budget, abs=0.06)
    assert scores[apart].mean() > scores[~apart].mean() + 0.01


@pytest.mark.slow
def test_retain_conflict_lowers_the_scores_of_what_looks_retained():
    forget, nll, retain, retain_nll, _ = clusters(0)
    means = []
    for strength in (0.0, 1.0, 4.0):
        settings = AtwuSettings(retain_strength=strength)
        scorer = fit_atwu(forget, nll, retain, retain_nll, lengths=[24] * 10, settings=settings)
        means.append((scorer.scores(forget).mean() - scorer.scores(retain).mean()).item())
    assert means[0] + 0.005 < means[1] < means[2] - 0.005


def test_the_forget_term_raises_tokens_with_something_to_forget():
    """Half of the tokens are known (NLL 0), half are not; only the forget term tells them apart."""
    hidden = torch.eye(2).repeat(50, 1)
    nll = torch.tensor([0.0, 0.4]).repeat(50)
    settings = AtwuSettings(budget_strength=0.0, retain_strength=0.0, entropy_strength=0.0, l2_strength=0.1)
    known, unknown = fit_atwu(hidden, nll, hidden[:0], nll[:0], settings=settings).scores(torch.eye(2))
    assert known < unknown - 0.01


@pytest.mark.slow
def test_the_same_tokens_give_the_same_scorer_whatever_the_seed(tokens):
    scorers = []
    for seed in (0, 1):
        torch.manual_seed(seed)
        scorers.append(fit_atwu(*tokens, lengths=LENGTHS))
    assert torch.equal(scorers[0].weight, scorers[1].weight) and scorers[0].bias == scorers[1].bias


@pytest.mark.parametrize("position", ["predictor", "token"])
@pytest.mark.parametrize("family", ["llama", "gemma2"])
def test_scores_are_those_of_a_scorer_on_the_whole_models_states(family_lm, family, position):
    lm = family_lm(family)
    forget, retain = lm.encode_all(SAMPLES), lm.encode_all(RETAINED)
    shift = position == "predictor"
    states = {}
    for name, encodings in (("forget", forget), ("retain", retain)):
        with torch.no_grad():
            hidden = [
                lm.model.base_model(input_ids=torch.tensor([e.input_ids])).last_hidden_state[
                    0, e.prompt_length - shift : len(e) - shift
                ]
                for e in encodings
            ]
        states[name] = torch.cat(hidden), torch.cat(response_nll(lm, encodings))
    lengths = [e.response_length for e in forget]
    scorer = fit_atwu(*states["forget"], *states["retain"], steps=10, lengths=lengths)
    expected = scorer.scores(states["forget"][0]).split(lengths)
    for budget in (1, 100_000):
        found = atwu_scores(lm, forget, retain, position=position, steps=10, token_budget=budget)
        for scores, values in zip(found, expected, strict=True):
            assert scores.dtype == np.float32 and ((scores >= 0) & (scores <= 1)).all()
            assert np.allclose(scores, values.numpy(), atol=1e-4)


def test_progress_counts_both_sets_and_no_retained_sample_is_needed_without_conflict(tiny_lm):
    forget, retain = tiny_lm.encode_all(SAMPLES), tiny_lm.encode_all(RETAINED)
    calls = []
    atwu_scores(tiny_lm, forget, retain, steps=1, token_budget=1, progress=lambda *d: calls.append(d))
    assert calls == [(i, 5) for i in range(1, 6)]
    settings = AtwuSettings(retain_strength=0.0)
    assert [len(s) for s in atwu_scores(tiny_lm, forget, [], steps=1, settings=settings)] == [
        e.response_length for e in forget
    ]
    assert [s.tolist() for s in atwu_scores(tiny_lm, forget, retain, steps=0)] == [
        [0.5] * e.response_length for e in forget
    ]


def test_what_no_scorer_can_be_learned_from_is_refused_in_one_sentence(tiny_lm, tokens):
    forget, nll, retain, retain_nll = tokens
    encodings = tiny_lm.encode_all(RETAINED)
    refused = [
        ("no forget tokens", lambda: fit_atwu(forget[:0], nll[:0], retain, retain_nll)),
        ("no retained tokens", lambda: fit_atwu(forget, nll, retain[:0], retain_nll[:0])),
        (
            r"retain_hidden has shape \(9, 5\); expected \(9, 6\)",
            lambda: fit_atwu(forget, nll, retain[:, 1:], retain_nll),
        ),
        (
            r"forget_hidden has shape \(14, 6\); expected \(13, 6\)",
            lambda: fit_atwu(forget, nll[1:], retain, retain_nll),
        ),
        ("lengths add up to 9; expected 14", lambda: fit_atwu(*tokens, lengths=[7, 2])),
        ("expected 14, each above 0", lambda: fit_atwu(*tokens, lengths=[14, 0])),
        ("steps is -1", lambda: fit_atwu(*tokens, steps=-1)),
        ("no samples to score", lambda: atwu_scores(tiny_lm, [], encodings)),
        ("no retained tokens", lambda: atwu_scores(tiny_lm, encodings, [])),
        ('position is "last"', lambda: atwu_scores(tiny_lm, encodings, encodings, position="last")),
        ('conflict is "kl"; it must be one of score, nll', lambda: AtwuSettings(conflict="kl")),
        ("budget is 1.5; it must be between 0 and 1", lambda: AtwuSettings(budget=1.5)),
        ("beta is nan; it must be a finite number", lambda: AtwuSettings(beta=math.nan)),
    ]
    for message, call in refused:
        with pytest.raises(TokenUnlearnError, match=message):
            call()
