"""The collapse guard: noise is not a completed run, and forgetting is not noise."""

import math
import re

import pytest
import torch

import tokenunlearn as tu
from tests.training.small_run import FORGET, RETAIN, SMALL
from tokenunlearn.training.guard import PATIENCE, CollapseGuard
from tokenunlearn.training.unlearn import unlearn

START = {"loss": 1.0, "forget_nll": 0.1, "retain_loss": 0.0}


@pytest.mark.parametrize(
    ("record", "regularizer", "message"),
    [
        ({"loss": math.inf}, "kl", "NaN or infinite"),
        ({"forget_nll": 4.1 * math.log(100) + 0.1}, "none", "far above random guessing \\(4.6\\)"),
        ({"retain_loss": 1.2}, "kl", "retained samples: their KL rose to 1.20"),
        ({"retain_loss": 2.4}, "nll", "their NLL rose to 2.40"),
    ],
)
def test_a_destroyed_model_is_a_fault(record, regularizer, message):
    guard = CollapseGuard(100, regularizer)
    assert guard.fault(START) == ""
    assert guard.fault(START | {"forget_nll": 4.0, "retain_loss": 0.5}) == ""
    assert re.search(message, guard.fault(START | record))


def test_an_unlikely_answer_is_forgotten_beside_sound_retained_text_and_noise_without_any():
    for start, noise in ((START, False), ({"loss": 1.0, "forget_nll": 0.1}, True)):
        guard = CollapseGuard(100, "kl")
        assert guard.fault(start) == ""
        assert bool(guard.fault(start | {"forget_nll": 50.0})) == noise


def test_an_overshoot_is_given_ten_steps_and_the_last_weights_none():
    guard = CollapseGuard(100, "kl")
    lost = START | {"retain_loss": 2.0}
    assert guard.verdict(START) == "" and guard.sound
    assert [guard.verdict(lost) for _ in range(PATIENCE)] == [""] * PATIENCE and not guard.sound
    assert guard.verdict(START) == "" and guard.sound
    assert guard.verdict(lost, last=True)
    assert [bool(guard.verdict(lost)) for _ in range(PATIENCE)] == [False] * (PATIENCE - 1) + [True]


def test_a_loss_that_is_not_finite_is_given_no_step():
    assert "NaN" in CollapseGuard(100, "kl").verdict(START | {"loss": math.nan})


def test_a_high_start_is_no_fault():
    guard = CollapseGuard(100, "nll")
    high = START | {"forget_nll": 9.0, "retain_loss": 8.0}
    assert guard.fault(high) == guard.fault(high) == ""


@pytest.mark.parametrize("regularizer", ["kl", "none"])
def test_without_the_guard_only_numbers_that_are_not_finite_count(regularizer):
    guard = CollapseGuard(100, regularizer, enabled=False)
    assert guard.fault(START) == guard.fault(START | {"retain_loss": 50.0, "forget_nll": 99.0}) == ""
    assert "NaN" in guard.fault(START | {"loss": math.nan})


@pytest.mark.parametrize(
    "settings",
    [
        {"learning_rate": 1.0, "train": "full"},
        {"learning_rate": 10.0, "train": "lora"},
        {"learning_rate": 50.0, "objective": "gradient_ascent", "regularizer": "none"},
        {"objective": "npo", "beta": 1e-40, "train": "full"},
    ],
    ids=["full", "lora", "gradient ascent", "infinite from the first step"],
)
def test_noise_is_not_completed_and_the_weights_kept_pass(tiny_lm, settings):
    result = unlearn(tiny_lm, FORGET, retain=RETAIN, **SMALL | {"steps": 20, "warmup_steps": 0} | settings)
    assert result.stopped == "collapsed" and result.fault
    assert result.good_step == 0
    kept, start = (torch.cat([p.flatten() for p in lm.model.parameters()]) for lm in (result.model, tiny_lm))
    assert settings.get("train") == "lora" if len(kept) != len(start) else torch.equal(kept, start)


def test_the_last_step_is_looked_at_too():
    demo, forget = tu.load_model("demo"), tu.load_samples("authors:forget10").spread(4)
    settings = {"steps": 1, "warmup_steps": 0, "learning_rate": 1e6, "batch_size": 4, "retain_batch_size": 4}
    result = unlearn(demo, forget, retain=tu.load_samples("authors:retain90").spread(4), **settings)
    assert result.stopped == "collapsed" and "retained samples" in result.fault
    assert result.good_step == 0 and len(result.history) == 1
