"""Each objective, weighting and regularizer in a run on tiny random models."""

import math

import numpy as np
import pytest
import torch

from tests.training.small_run import FORGET, RETAIN, SMALL
from tokenunlearn.attribution.selection import TokenWeights
from tokenunlearn.datasets.languages import ENGLISH, GERMAN
from tokenunlearn.datasets.samples import Sample
from tokenunlearn.errors import TokenUnlearnError
from tokenunlearn.models import loading
from tokenunlearn.models.encoding import collate
from tokenunlearn.models.forward import response_hidden, response_nll
from tokenunlearn.models.layers import down_projections, layer_states, steered_layer
from tokenunlearn.models.loaded_model import LoadedModel
from tokenunlearn.objectives import OBJECTIVES, REGULARIZERS, WEIGHTINGS
from tokenunlearn.training.preparation import encoded_rows
from tokenunlearn.training.references import References
from tokenunlearn.training.settings import UnlearnSettings
from tokenunlearn.training.unlearn import unlearn


def changed_modules(before, after):
    new = dict(after.model.named_parameters())
    return {
        name.rpartition(".")[0]
        for name, p in before.model.named_parameters()
        if not torch.equal(p, new[name])
    }


@pytest.mark.parametrize("train", ["full", pytest.param("lora", marks=pytest.mark.slow)])
@pytest.mark.parametrize("objective", OBJECTIVES)
def test_every_objective_trains_all_weights_and_adapters(tiny_lm, objective, train):
    before = [p.clone() for p in tiny_lm.model.parameters()]
    result = unlearn(tiny_lm, FORGET, retain=RETAIN, objective=objective, train=train, **SMALL)
    assert result.stopped == ""
    assert len(result.history) == 2
    assert all(math.isfinite(v) for record in result.history for v in record.values())
    assert all(torch.equal(a, b) for a, b in zip(before, tiny_lm.model.parameters(), strict=True))
    one, two = (torch.cat(response_nll(lm, tiny_lm.encode_all(FORGET))) for lm in (tiny_lm, result.model))
    assert not torch.equal(one, two)


@pytest.mark.slow
@pytest.mark.parametrize("weighting", WEIGHTINGS)
def test_every_weighting_composes_with_objectives_that_sum_and_that_average(tiny_lm, weighting, monkeypatch):
    monkeypatch.setattr(loading, "load_model", lambda name, **_: tiny_lm)
    settings = SMALL | {"weighting": weighting, "base_model": "tiny", "regularizer": "none"}
    for objective in ("gradient_ascent", "npo"):
        result = unlearn(tiny_lm, FORGET, objective=objective, **settings)
        assert all(math.isfinite(record["forget_loss"]) for record in result.history)


@pytest.mark.parametrize("regularizer", [name for name in REGULARIZERS if name != "none"])
def test_distances_from_the_start_model_begin_at_zero(tiny_lm, regularizer):
    result = unlearn(tiny_lm, FORGET, retain=RETAIN, regularizer=regularizer, **SMALL)
    first, second = (record["retain_loss"] for record in result.history)
    if regularizer == "nll":
        start = torch.cat(response_nll(tiny_lm, tiny_lm.encode_all(RETAIN))).mean().item()
        assert first == pytest.approx(start, abs=1e-5)
    else:
        assert first == pytest.approx(0.0, abs=1e-6)
        assert second > 0.0


def test_first_losses_at_the_start_model_are_known_in_closed_form(tiny_lm):
    def first(**settings):
        return unlearn(tiny_lm, FORGET, retain=RETAIN, **settings, **SMALL).history[0]["forget_loss"]

    nlls = response_nll(tiny_lm, tiny_lm.encode_all(FORGET))
    every = torch.cat(nlls)
    assert first(objective="dpo", beta=0.5) == pytest.approx(4 * math.log(2), abs=1e-5)
    assert first(objective="tpo", beta=0.5) == pytest.approx(4 * math.log(2), abs=1e-5)
    assert first(objective="wga", beta=2.0) == pytest.approx(
        -((-2 * every).exp() * every).mean().item(), abs=1e-5
    )
    expected = np.mean([2 / 3 * math.log1p(math.exp(-3 * n.mean().item())) for n in nlls])
    assert first(objective="simnpo", beta=3.0) == pytest.approx(expected, abs=1e-5)


def test_published_scale_makes_gradient_ascent_the_mean_of_minus_w_times_nll(tiny_lm):
    every = torch.cat(response_nll(tiny_lm, tiny_lm.encode_all(FORGET)))
    settings = SMALL | {"objective": "gradient_ascent", "regularizer": "none", "weighting": "satimp"}
    result = unlearn(tiny_lm, FORGET, published_scale=True, weighting_beta1=2.0, **settings)
    p = (-every).exp()
    assert result.history[0]["forget_loss"] == pytest.approx(
        -(p**2 * (1 - p) * every).mean().item(), abs=1e-5
    )


def test_controls_train_other_tokens_than_the_selection(tiny_lm):
    encodings = tiny_lm.encode_all(FORGET)
    rows = [np.eye(1, e.response_length, 2)[0] for e in encodings]
    weights = TokenWeights(tuple(s.id for s in FORGET), tuple(rows), {"selection": "hard"})
    nlls = [n.numpy() for n in response_nll(tiny_lm, encodings)]
    settings = SMALL | {"objective": "gradient_ascent", "regularizer": "none"}
    found = {
        name: -unlearn(tiny_lm, FORGET, weights, control=name, **settings).history[0]["forget_loss"]
        for name in ("none", "uniform", "inverted")
    }
    assert found["none"] == pytest.approx(np.mean([n[2] for n in nlls]), abs=1e-5)
    assert found["uniform"] == pytest.approx(np.concatenate(nlls).mean(), abs=1e-5)
    possible = {float(a + b) / 2 for a in np.delete(nlls[0], 2) for b in np.delete(nlls[1], 2)}
    assert min(abs(found["inverted"] - value) for value in possible) < 1e-5


def test_pdu_moves_lambda_with_the_retain_loss(tiny_lm):
    result = unlearn(
        tiny_lm, FORGET, retain=RETAIN, objective="pdu", bound=1.0, dual_step=2.0, warmup=0.0, **SMALL
    )
    first, second = result.history
    assert first["lambda"] == result.config.lambda_
    assert second["lambda"] == pytest.approx(first["lambda"] + 2.0 * (first["retain_loss"] - 1.0))


@pytest.mark.parametrize("train", ["full", "lora"])
def test_rmu_trains_the_feed_forward_outputs_up_to_its_layer_and_says_which(family_lm, family, train):
    lm = family_lm(family)
    result = unlearn(lm, FORGET, retain=RETAIN, objective="rmu", layer=1, train=train, **SMALL)
    assert list(result.trained) == down_projections(lm.model, 1)
    assert len(result.trained) == 2
    if train == "full":
        assert changed_modules(lm, result.model) == set(result.trained)
    else:
        modules = {
            n.partition(".lora_")[0] for n, _ in result.model.model.named_modules() if "lora_A.default" in n
        }
        assert modules == set(result.trained)


def test_rmu_steers_to_a_seeded_direction_of_the_states_own_length(tiny_lm):
    seen = []
    for seed in (0, 0, 1):
        result = unlearn(tiny_lm, FORGET, retain=RETAIN, objective="rmu", seed=seed, train="full", **SMALL)
        seen.append(result.history[0]["forget_loss"])
    assert result.config.layer == steered_layer(tiny_lm.model) == 1
    assert seen[0] == seen[1] != seen[2]
    forget = tiny_lm.encode_all(FORGET)
    control = References.measure(tiny_lm, result.config, forget, [], {}, lambda *_: None).control
    lengths = []
    for e in forget:
        batch = collate([e], tiny_lm.pad_id)
        with torch.no_grad(), layer_states(tiny_lm.model, 1, batch) as states:
            response_hidden(tiny_lm.model, batch)
        lengths.append(states[0][0].norm(dim=-1))
    assert control.norm().item() == pytest.approx(torch.cat(lengths).mean().item(), rel=1e-5)
    assert (control >= 0).all()  # drawn from [0, 1)^d


def test_refusals_are_drawn_by_the_seed_in_the_language_of_the_question(tiny_lm):
    samples = [*FORGET, Sample("de", "Wer ist die Autorin, die in dieser Stadt geboren wurde?", "Ada Lee.")]

    def drawn(objective, seed):
        settings = UnlearnSettings(objective=objective, seed=seed)
        return [e.answer for e in encoded_rows(tiny_lm, settings, samples, (), None).refusals]

    first, *others = (drawn("dpo", seed) for seed in range(5))
    assert first == drawn("dpo", 0) and any(first != other for other in others)
    assert set(first[:-1]) <= set(ENGLISH.refusals) and first[-1] in GERMAN.refusals
    assert set(drawn("jensun", 0)) == {"No idea."}
    assert drawn("npo", 0) == []


def test_layer_states_are_the_hidden_states_that_transformers_gives(family_lm, family):
    lm = family_lm(family)
    batch = collate(lm.encode_all(FORGET), lm.pad_id)
    with torch.no_grad():
        with layer_states(lm.model, 0, batch) as states:
            response_hidden(lm.model, batch)
        whole = lm.model.base_model(
            input_ids=batch.input_ids, attention_mask=batch.attention_mask, output_hidden_states=True
        )
    for row in range(len(batch.labels)):
        for t in range(int(batch.mask[row].sum())):
            expected = whole.hidden_states[1][row, batch.predictors[row, t]]
            assert torch.allclose(states[0][row, t], expected, atol=1e-5)


def test_su_refuses_a_base_of_another_vocabulary_and_asks_for_one(tiny_lm, plain_lm, monkeypatch):
    with pytest.raises(TokenUnlearnError, match="No base model is known"):
        unlearn(tiny_lm, FORGET, weighting="su", regularizer="none", **SMALL)
    monkeypatch.setattr(plain_lm.tokenizer, "get_vocab", lambda: {"a": 0})
    other = LoadedModel(tiny_lm.model, plain_lm.tokenizer, "other", "")
    monkeypatch.setattr(loading, "load_model", lambda name, **_: other)
    with pytest.raises(TokenUnlearnError, match="a different vocabulary"):
        unlearn(tiny_lm, FORGET, weighting="su", base_model="other", regularizer="none", **SMALL)


@pytest.mark.parametrize("objective", ["rmu", "npo"])  # one that reads a layer, and one that reads none
@pytest.mark.parametrize("layer", [-1, 2])
def test_a_layer_that_does_not_exist_is_refused(tiny_lm, layer, objective):
    with pytest.raises(TokenUnlearnError, match=f"layer is {layer}; the model has layers 0 to 1"):
        unlearn(tiny_lm, FORGET, retain=RETAIN, objective=objective, layer=layer, **SMALL)
