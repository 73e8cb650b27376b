"""Gradient attribution against plain autograd, one sample at a time in float64, over families of models."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch

from tokenunlearn.attribution.gradient import gradient_attribution
from tokenunlearn.datasets.samples import Sample
from tokenunlearn.errors import TokenUnlearnError
from tokenunlearn.models.loaded_model import LoadedModel

SAMPLES = [
    Sample("a", "Where was Ada Miller born?", "Ada Miller was born in Lisbon, the old harbour town."),
    Sample("b", "Who?", "老舍 🎉"),
    Sample("c", "Which prize did the author win in that year?", "x"),
]
WAYS = [(method, target) for method in ("norm", "input") for target in ("nll", "logit")]


def double(lm):
    """The same model in float64, its weights asking for gradients."""
    return LoadedModel(copy.deepcopy(lm.model).double(), lm.tokenizer, lm.name, lm.revision)


def by_autograd(lm, encoding, method, target):
    """The whole model on one sequence, token by token."""
    ids = torch.tensor([encoding.input_ids])
    embeddings = lm.model.get_input_embeddings()(ids).detach().requires_grad_()
    places = torch.arange(len(encoding))[None]
    takes_places = lm.model.config.model_type != "opt"
    inputs = {"position_ids": places} if takes_places else {}
    logits = lm.model(inputs_embeds=embeddings, **inputs).logits[0]
    total = 0.0
    for t in range(encoding.prompt_length, len(encoding)):
        z = logits[t - 1]
        if target == "nll":
            total = total - z.log_softmax(-1)[ids[0, t]] / encoding.response_length
        else:
            total = total + z[ids[0, t]] - z.sum() / len(z)
    (gradient,) = torch.autograd.grad(total, embeddings)
    rows = []
    for t in range(encoding.prompt_length, len(encoding)):
        g, e = gradient[0, t], embeddings[0, t].detach()
        rows.append(sum(float(x) ** 2 for x in g) ** 0.5 if method == "norm" else abs(float(g @ e)))
    return np.array(rows)


@pytest.mark.parametrize(("method", "target"), WAYS)
def test_equals_autograd_on_the_whole_model_sample_by_sample(family_lm, family, method, target):
    lm = double(family_lm(family))
    encodings = lm.encode_all(SAMPLES)
    found = gradient_attribution(lm, encodings, method=method, target=target, token_budget=100_000)
    for encoding, scores in zip(encodings, found, strict=True):
        expected = by_autograd(lm, encoding, method, target)
        assert scores.shape == (encoding.response_length,) and scores.dtype == np.float32
        assert np.allclose(scores, expected, rtol=1e-5, atol=1e-7 * expected.max())


@pytest.mark.parametrize(("method", "target"), WAYS)
def test_a_score_depends_on_neither_batch_nor_padding(tiny_lm, method, target):
    encodings = tiny_lm.encode_all(SAMPLES)
    alone, together = (
        gradient_attribution(tiny_lm, encodings, method=method, target=target, token_budget=budget)
        for budget in (1, 100_000)
    )
    for a, b in zip(alone, together, strict=True):
        assert np.allclose(a, b, rtol=1e-3, atol=1e-6 * max(1.0, a.max()))


def test_the_end_of_turn_is_context_for_nothing(tiny_lm):
    for method, target in WAYS:
        for scores in gradient_attribution(
            tiny_lm, tiny_lm.encode_all(SAMPLES), method=method, target=target
        ):
            assert scores[-1] == 0.0 and (scores[:-1] > 0).all()


def test_the_logit_target_does_not_vanish_where_the_model_is_certain(family_lm):
    """Logits made large: the true tokens' NLL and its gradient fall, the logit's gradient grows."""
    lm = double(family_lm("llama"))
    encoding = lm.encode(SAMPLES[0])
    ids = torch.tensor(encoding.input_ids)
    with torch.no_grad():  # a model that recites: the head points each state at its true next token
        hidden = lm.model.model(input_ids=ids[None]).last_hidden_state[0, encoding.prompt_length - 1 : -1]
        wanted = 30.0 * torch.nn.functional.one_hot(ids[encoding.prompt_length :], len(lm.tokenizer)).double()
        lm.model.lm_head.weight.copy_(torch.linalg.lstsq(hidden, wanted).solution.T)
    nll, logit = (gradient_attribution(lm, [encoding], target=t)[0] for t in ("nll", "logit"))
    assert nll[:-1].max() < 1e-6 * logit[:-1].min()


def test_weights_get_no_gradients_and_keep_what_they_asked_for(tiny_lm):
    lm = double(tiny_lm)
    parameters = list(lm.model.parameters())
    for i, p in enumerate(parameters):
        p.requires_grad_(i % 2 == 0)
    with torch.no_grad():
        scores = gradient_attribution(lm, lm.encode_all(SAMPLES))
    assert all(np.isfinite(s).all() for s in scores)
    assert [p.requires_grad for p in parameters] == [i % 2 == 0 for i in range(len(parameters))]
    assert all(p.grad is None for p in parameters)

    def interrupt(*_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        gradient_attribution(lm, lm.encode_all(SAMPLES), progress=interrupt)
    assert parameters[0].requires_grad and not parameters[1].requires_grad


def test_nothing_to_do_progress_and_unknown_ways(tiny_lm):
    assert gradient_attribution(tiny_lm, []) == []
    calls = []
    gradient_attribution(
        tiny_lm, tiny_lm.encode_all(SAMPLES), token_budget=1, progress=lambda *d: calls.append(d)
    )
    assert calls == [(1, 3), (2, 3), (3, 3)]
    with pytest.raises(TokenUnlearnError, match='method is "l1"; it must be one of norm, input'):
        gradient_attribution(tiny_lm, [], method="l1")
    with pytest.raises(TokenUnlearnError, match='target is "kl"; it must be one of nll, logit'):
        gradient_attribution(tiny_lm, [], target="kl")
