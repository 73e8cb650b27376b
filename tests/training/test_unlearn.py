"""Unlearning on a tiny random model: naive losses, what is left untouched, how it fails."""

import math

import numpy as np
import pytest
import torch
from transformers import TrainingArguments

from tests.training.small_run import parameters_of
from tokenunlearn.attribution.selection import TokenWeights
from tokenunlearn.datasets.samples import Sample, SampleSet
from tokenunlearn.errors import ScoreSetError, TokenUnlearnError
from tokenunlearn.models.forward import response_nll
from tokenunlearn.models.loading import load_model
from tokenunlearn.training.settings import UnlearnSettings
from tokenunlearn.training.step_rows import StepPlan
from tokenunlearn.training.unlearn import unlearn

FORGET = SampleSet(
    "forget",
    tuple(
        Sample(f"f{i}", f"Who is {name}?", f"{name} is the baker of {town}.")
        for i, (name, town) in enumerate(
            [("Ada", "Grenmoor"), ("Bo", "a very small and quiet town"), ("Cyd", "Rill")]
        )
    ),
)
RETAIN = SampleSet(
    "retain", tuple(Sample(f"r{i}", f"What is {i} plus {i}?", f"It is {2 * i}, of course.") for i in range(4))
)
SMALL = {"objective": "npo", "batch_size": 3, "retain_batch_size": 4, "steps": 3, "learning_rate": 1e-3}


def test_first_gradient_ascent_loss_is_the_negative_mean_nll(tiny_lm):
    nll = torch.cat(response_nll(tiny_lm, tiny_lm.encode_all(FORGET)))
    result = unlearn(tiny_lm, FORGET, **SMALL | {"objective": "gradient_ascent", "regularizer": "none"})
    assert result.history[0]["forget_loss"] == pytest.approx(-nll.mean().item(), abs=1e-5)


def test_first_npo_loss_is_two_log_two_over_beta_and_first_kl_is_zero(tiny_lm):
    result = unlearn(tiny_lm, FORGET, retain=RETAIN, beta=0.25, **SMALL)
    first = result.history[0]
    assert first["forget_loss"] == pytest.approx(2 / 0.25 * math.log(2), abs=1e-4)
    assert first["retain_loss"] == pytest.approx(0.0, abs=1e-6)
    assert first["loss"] == pytest.approx(first["forget_loss"] + first["retain_loss"], abs=1e-6)


def test_of_several_gpus_one_reads_the_samples_of_each_step(tiny_lm, monkeypatch):
    settings = SMALL | {"gradient_accumulation": 2}
    alone = unlearn(tiny_lm, FORGET, retain=RETAIN, **settings)
    monkeypatch.setattr(TrainingArguments, "n_gpu", property(lambda self: 2))
    among_two = unlearn(tiny_lm, FORGET, retain=RETAIN, **settings)
    assert [r["loss"] for r in among_two.history] == [r["loss"] for r in alone.history]
    assert torch.equal(parameters_of(among_two.model), parameters_of(alone.model))


@pytest.mark.parametrize(
    ("schedule", "rates"),
    [
        ("constant_with_warmup", [1.0, 1.0, 1.0, 1.0]),
        ("linear", [1.0, 0.75, 0.5, 0.25]),
        ("cosine", [1.0, 0.853553, 0.5, 0.146447]),
    ],
)
def test_the_learning_rate_stays_or_is_zero_after_the_last_step(tiny_lm, schedule, rates):
    settings = SMALL | {"steps": 4, "warmup_steps": 0, "lr_scheduler_type": schedule}
    run = unlearn(tiny_lm, FORGET, retain=RETAIN, **settings)
    found = [record["learning_rate"] / SMALL["learning_rate"] for record in run.history]
    assert found == pytest.approx(rates, abs=1e-6)
    assert run.config.lr_scheduler_type == schedule


def test_nll_regularizer_is_the_mean_nll_of_retained_responses(tiny_lm):
    nll = torch.cat(response_nll(tiny_lm, tiny_lm.encode_all(RETAIN)))
    result = unlearn(tiny_lm, FORGET, retain=RETAIN, regularizer="nll", **SMALL)
    assert result.history[0]["retain_loss"] == pytest.approx(nll.mean().item(), abs=1e-5)


def test_only_weighted_tokens_enter_the_loss(tiny_lm):
    encodings = tiny_lm.encode_all(FORGET)
    weights = [np.zeros(e.response_length) for e in encodings]
    weights[1][2] = 1.0
    nll = response_nll(tiny_lm, encodings)[1][2].item()
    token_weights = TokenWeights(tuple(s.id for s in FORGET), tuple(weights), {"selection": "hard"})
    result = unlearn(
        tiny_lm, FORGET, token_weights, **SMALL | {"objective": "gradient_ascent", "regularizer": "none"}
    )
    assert result.history[0]["forget_loss"] == pytest.approx(-nll, abs=1e-5)


@pytest.mark.parametrize("train", ["full", "lora"])
def test_start_model_stays_as_it_is_and_the_unlearned_one_forgets(tiny_lm, train):
    before = parameters_of(tiny_lm)
    settings = SMALL | {"steps": 12, "learning_rate": 1e-2}
    result = unlearn(tiny_lm, FORGET, retain=RETAIN, train=train, lora_r=4, lora_alpha=8, **settings)
    assert torch.equal(before, parameters_of(tiny_lm))
    assert (result.config.train, result.config.lora_r, result.config.lora_alpha) == (train, 4, 8)
    encodings = tiny_lm.encode_all(FORGET)
    start = torch.cat(response_nll(tiny_lm, encodings)).mean()
    assert torch.cat(response_nll(result.model, encodings)).mean() > start + 0.1


def test_a_start_model_in_bfloat16_is_trained_in_float32(tiny_lm):
    half = tiny_lm.copy(share_weights=False)
    half.model.bfloat16()
    result = unlearn(half, FORGET, retain=RETAIN, train="full", **SMALL)
    assert {p.dtype for p in result.model.model.parameters()} == {torch.float32}
    assert half.model.dtype == torch.bfloat16


@pytest.mark.parametrize("train", ["full", "lora"])
def test_saved_adapter_loads_again_with_the_same_predictions(tiny_lm, tiny_folder, tmp_path, train):
    result = unlearn(tiny_lm, FORGET, retain=RETAIN, train=train, **SMALL)
    loaded = load_model(str(tiny_folder), device="cpu", adapter=result.save_adapter(tmp_path / "adapter"))
    encodings = tiny_lm.encode_all(FORGET)
    for mine, theirs in zip(
        response_nll(result.model, encodings), response_nll(loaded, encodings), strict=True
    ):
        assert torch.allclose(mine, theirs, atol=1e-5)


def test_same_seed_gives_the_same_losses_and_another_seed_others(tiny_lm):
    settings = SMALL | {"batch_size": 1, "retain_batch_size": 1}
    one, two, other = (
        [h["loss"] for h in unlearn(tiny_lm, FORGET, retain=RETAIN, seed=seed, **settings).history]
        for seed in (0, 0, 5)
    )
    assert one == two
    assert one != other


def test_random_state_of_the_caller_is_left_alone(tiny_lm):
    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)
    unlearn(tiny_lm, FORGET, retain=RETAIN, train="lora", **SMALL)
    assert torch.equal(torch.rand(3), expected)


def test_cancel_stops_within_one_step(tiny_lm):
    seen = []
    result = unlearn(
        tiny_lm,
        FORGET,
        retain=RETAIN,
        on_step=seen.append,
        should_stop=lambda: len(seen) >= 1,
        **SMALL | {"steps": 50},
    )
    assert result.stopped == "cancelled"
    assert len(result.history) == 2


def test_diverging_loss_stops_the_run_and_keeps_the_last_good_weights(tiny_lm):
    settings = SMALL | {"steps": 30, "learning_rate": 1e20, "warmup_steps": 0}
    result = unlearn(tiny_lm, FORGET, retain=RETAIN, train="full", **settings)
    assert result.stopped == "collapsed" and "NaN" in result.fault
    assert len(result.history) < 30
    assert result.good_step == 0
    assert torch.equal(parameters_of(result.model), parameters_of(tiny_lm))


def test_weights_of_other_samples_or_another_tokenizer_are_refused(tiny_lm):
    lengths = [e.response_length for e in tiny_lm.encode_all(FORGET)]
    ids = tuple(s.id for s in FORGET)
    other = TokenWeights(("x", "y", "z"), tuple(np.ones(n) for n in lengths), {})
    with pytest.raises(ScoreSetError, match="other samples"):
        unlearn(tiny_lm, FORGET, other, retain=RETAIN, **SMALL)
    longer = TokenWeights(ids, tuple(np.ones(n + 1) for n in lengths), {})
    with pytest.raises(ScoreSetError, match="another tokenizer"):
        unlearn(tiny_lm, FORGET, longer, retain=RETAIN, **SMALL)


def test_missing_retained_samples_are_named(tiny_lm):
    with pytest.raises(TokenUnlearnError, match="needs retained samples"):
        unlearn(tiny_lm, FORGET, **SMALL)


def test_every_sample_comes_up_equally_often():
    plan = StepPlan.draw(UnlearnSettings(steps=6, batch_size=4, retain_batch_size=5), forget=8, retain=10)
    assert sorted(np.bincount(plan.forget)) == [3] * 8
    assert sorted(np.bincount(plan.retain)) == [3] * 10


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"steps": 0}, "steps is 0; it must be at least 1"),
        ({"learning_rate": 0.0}, "learning_rate is 0.0"),
        ({"train": "half"}, 'train is "half"'),
        ({"lambda_": -1.0}, "lambda_ is -1.0; it must be at least 0"),
        ({"nonsense": 1.0}, 'no parameter "nonsense"'),
        ({"regularizer": "l2"}, 'no regularizer "l2"'),
    ],
)
def test_bad_configurations_are_refused_in_one_sentence(settings, message):
    with pytest.raises(TokenUnlearnError, match=message):
        UnlearnSettings.from_settings(settings)
