"""Schedules: a run ends when nothing is left to forget, and lambda follows a bound on the retain loss."""

from dataclasses import fields

import pytest
import torch

from tests.training.small_run import FORGET, RETAIN, SMALL, parameters_of
from tokenunlearn.attribution.score import score
from tokenunlearn.datasets import load_samples
from tokenunlearn.errors import TokenUnlearnError
from tokenunlearn.models import loading
from tokenunlearn.models.loaded_model import LoadedModel
from tokenunlearn.models.loading import load_model
from tokenunlearn.objectives import OBJECTIVES
from tokenunlearn.objectives.npo import npo
from tokenunlearn.training import schedules
from tokenunlearn.training.schedules import FAR_PAST, LevelHold, LevelPace, LevelStop, RetainBound, Schedule
from tokenunlearn.training.settings import UnlearnSettings
from tokenunlearn.training.unlearn import unlearn

FAST = SMALL | {"steps": 30, "learning_rate": 1e-2, "objective": "gradient_ascent", "train": "full"}


def test_level_stop_counts_steps_in_a_row():
    stop = LevelStop(patience=2)
    nlls = [4.1, 3.9, 4.0, 5.0, 4.2]
    ends = [stop.ends({"forget_nll": nll, "level": 4.0}, i) for i, nll in enumerate(nlls)]
    assert ends == [False] * 3 + [True] * 2
    nlls = [4.1, 6.1, 6.0, 5.9]  # what is far past the level is not at it
    assert [stop.ends({"forget_nll": nll, "level": 4.0}, i) for i, nll in enumerate(nlls)][1:] == [
        False,
        False,
        True,
    ]
    other = LevelStop(patience=2)
    other.restore({"steps": 1})
    assert other.ends({"forget_nll": 4.0, "level": 4.0}, 9)


def test_retain_bound_raises_lambda_above_the_bound_and_never_lowers_it_below_the_start():
    bound = RetainBound(bound=0.02, start=60.0)
    assert bound.next_lambda(60.0, {"retain_loss": 0.04}, 1) == pytest.approx(66.0)
    assert bound.next_lambda(66.0, {"retain_loss": 0.02}, 2) == pytest.approx(66.0)
    assert bound.next_lambda(66.0, {"retain_loss": 0.01}, 3) == pytest.approx(63.0)
    assert bound.next_lambda(60.0, {"retain_loss": 0.0}, 4) == 60.0


def test_a_run_far_past_its_level_is_held_from_then_on():
    pulls, pull = [], 0.0
    for nll in (3.9, 4.1, 6.0, 6.1, 5.0, 4.1, 4.0, 4.1):
        pull = LevelHold().next_pull(pull, {"forget_nll": nll, "level": 4.0}, 1)
        pulls.append(pull)
    assert pulls == [0, 0, 0, 1, 1, 1, 1, 1]


def test_a_run_behind_its_level_fades_later_until_it_is_half_there():
    pace, fading, seen = LevelPace(steps=20), 1.0, []
    for step, nll in enumerate((0.0,) * 7 + (4.0,) * 12, start=1):
        fading = pace.next_fading(fading, {"forget_nll": nll, "level": 4.0}, step)
        seen.append(fading)
    running, expected, share = 0.0, [], 1.0
    for step, nll in enumerate((0.0,) * 7 + (1.0,) * 12, start=1):
        running = 0.8 * running + 0.2 * nll
        share *= 0.9 if step >= 5 and running < min(step / 20, 0.5) else 1.0
        expected.append(share)
    assert seen == pytest.approx(expected)
    assert seen[3] == 1 and seen[4] == pytest.approx(0.9) and seen[-1] == seen[-6] < 0.7
    other = LevelPace(steps=20)
    other.restore(pace.state())
    assert other.next_fading(1.0, {"forget_nll": 0.0, "level": 4.0}, 20) == 1.0


def test_a_long_run_that_stays_behind_has_a_finite_loss():
    pace, fading = LevelPace(steps=2000), 1.0
    for step in range(1, 2001):
        fading = pace.next_fading(fading, {"forget_nll": 0.1, "level": 4.0}, step)
    rise = torch.zeros(1, 1, requires_grad=True)
    loss = npo(rise, torch.zeros(1, 1), torch.ones(1, 1), beta=0.1 * fading)
    loss.backward()
    assert loss.isfinite() and rise.grad.item() == pytest.approx(-1.0)


def test_every_objective_whose_beta_stops_forgetting_fades():
    stops = {
        name
        for name, objective in OBJECTIVES.items()
        for parameter in fields(objective)
        if parameter.name == "beta" and "stop forgetting earlier" in parameter.metadata["help"]
    }
    assert stops == {name for name, objective in OBJECTIVES.items() if objective.fades} != set()


@pytest.mark.slow
def test_a_level_out_of_reach_of_npo_is_reached_by_a_smaller_beta(tiny_lm, monkeypatch):
    settings = FAST | {"objective": "npo", "beta": 2.0, "learning_rate": 3e-3, "steps": 60}
    start = unlearn(tiny_lm, FORGET, retain=RETAIN, **settings | {"steps": 1}).history[0]["forget_nll"]
    paced = unlearn(tiny_lm, FORGET, retain=RETAIN, **settings, level=4 * start).history
    monkeypatch.setattr(schedules, "SLOWER_FADING", 1.0)
    left = unlearn(tiny_lm, FORGET, retain=RETAIN, **settings, level=4 * start).history
    assert {record["fading"] for record in left} == {1.0} and paced[-1]["fading"] < 0.9
    assert paced[-1]["forget_nll"] > 1.2 * left[-1]["forget_nll"]


@pytest.mark.slow
def test_two_samples_shoot_past_their_level_and_end_at_it():
    lm, samples = load_model("demo"), load_samples("authors:forget10").spread(2)
    settings = {"holdout": "authors:holdout", "learning_rate": 3e-3, "steps": 40, "retain_batch_size": 8}
    history = unlearn(
        lm, samples, score(lm, samples).weights(), retain="authors:retain90", **settings
    ).history
    past = [record["forget_nll"] / record["level"] for record in history]
    assert max(past) > FAR_PAST > 1.2 > past[-1] > 0.8


@pytest.mark.slow
def test_a_run_ends_at_its_level_and_another_runs_on(tiny_lm):
    start = unlearn(tiny_lm, FORGET, retain=RETAIN, **FAST | {"steps": 1}).history[0]["forget_nll"]
    level = {"level": start + 0.5}
    ended = unlearn(tiny_lm, FORGET, retain=RETAIN, patience=3, **FAST, **level)
    assert ended.stopped == "reached" and 3 < len(ended.history) < 30
    reached = [r["forget_nll"] >= r["level"] == level["level"] for r in ended.history]
    assert all(reached[-3:]) and not reached[-4]
    assert ended.good_step == len(ended.history)
    on = unlearn(tiny_lm, FORGET, retain=RETAIN, **FAST, **level)
    assert on.stopped == "" and len(on.history) == 30
    far = unlearn(tiny_lm, FORGET, retain=RETAIN, patience=3, **FAST, level=1e6)
    assert far.stopped == "" and far.history[-1]["level"] == 1e6
    assert "level" not in unlearn(tiny_lm, FORGET, retain=RETAIN, **SMALL).history[0]


@pytest.mark.parametrize("level", [{}, {"level": 1e6}], ids=["alone", "before a level of all"])
def test_a_run_ends_where_its_tokens_are_at_their_base_level(tiny_lm, monkeypatch, level):
    monkeypatch.setattr(loading, "load_model", lambda name, **_: tiny_lm)
    settings = FAST | {"base_level": True, "base_model": "tiny", "patience": 2} | level
    run = unlearn(tiny_lm, FORGET, retain=RETAIN, **settings)
    assert run.stopped == "reached" and len(run.history) < 30
    assert run.history[0]["level"] == pytest.approx(run.history[0]["forget_nll"], abs=1e-5)


def test_lambda_follows_the_retain_loss(tiny_lm):
    run = unlearn(tiny_lm, FORGET, retain=RETAIN, retain_bound=0.01, **FAST | {"steps": 8})
    for record, following in zip(run.history, run.history[1:], strict=False):
        change = 0.1 * run.config.lambda_ * (record["retain_loss"] / 0.01 - 1)
        assert following["lambda"] == pytest.approx(max(run.config.lambda_, record["lambda"] + change))
    assert max(r["lambda"] for r in run.history) > run.config.lambda_


@pytest.mark.parametrize("settings", [{"patience": 6, "level": 1e6}, {"level": 1e6}, {"retain_bound": 1e3}])
def test_a_schedule_that_never_acts_changes_nothing(tiny_lm, settings):
    small = SMALL | {"objective": "graddiff"}  # which does not fade
    plain = unlearn(tiny_lm, FORGET, retain=RETAIN, **small)
    assert torch.equal(
        parameters_of(unlearn(tiny_lm, FORGET, retain=RETAIN, **small, **settings).model),
        parameters_of(plain.model),
    )


@pytest.mark.parametrize("step", [2, 6])
@pytest.mark.slow
def test_an_interrupted_run_ends_at_the_step_and_weights_of_an_uninterrupted_one(tiny_lm, tmp_path, step):
    class Interruption(Exception):
        pass

    def interrupt(record):
        if record["step"] == step:
            raise Interruption

    start = unlearn(tiny_lm, FORGET, retain=RETAIN, **FAST | {"steps": 1}).history[0]["forget_nll"]
    settings = FAST | {"batch_size": 1, "level": start + 0.5, "patience": 7, "retain_bound": 0.01}
    expected = unlearn(tiny_lm, FORGET, retain=RETAIN, **settings)
    assert expected.stopped == "reached" and len(expected.history) > 7
    saved = {"checkpoints": tmp_path, "checkpoint_every": 1}
    with pytest.raises(Interruption):
        unlearn(tiny_lm, FORGET, retain=RETAIN, on_step=interrupt, **saved, **settings)
    resumed = unlearn(tiny_lm, FORGET, retain=RETAIN, **saved, **settings)
    assert resumed.stopped == "reached" and len(resumed.history) == len(expected.history)
    assert torch.allclose(parameters_of(resumed.model), parameters_of(expected.model), atol=1e-6)
    steps = []
    again = unlearn(tiny_lm, FORGET, retain=RETAIN, on_step=steps.append, **saved, **settings)
    assert steps == [] and again.stopped == "reached"
    assert torch.equal(parameters_of(again.model), parameters_of(resumed.model))


def test_a_resumed_run_fades_as_late_as_an_uninterrupted_one(tiny_lm, tmp_path):
    settings = FAST | {"objective": "npo", "steps": 8, "level": 1e6}

    def interrupt(record):
        if record["step"] == 5:
            raise KeyboardInterrupt

    expected = unlearn(tiny_lm, FORGET, retain=RETAIN, **settings).history
    saved = {"checkpoints": tmp_path, "checkpoint_every": 1}
    with pytest.raises(KeyboardInterrupt):
        unlearn(tiny_lm, FORGET, retain=RETAIN, on_step=interrupt, **saved, **settings)
    resumed = unlearn(tiny_lm, FORGET, retain=RETAIN, **saved, **settings).history
    assert [r["fading"] for r in resumed] == [r["fading"] for r in expected]
    assert expected[-1]["fading"] == pytest.approx(0.9**6)  # behind from step 2 of 8 on


def test_a_resumed_run_holds_on(tiny_lm, tmp_path, monkeypatch):
    settings = FAST | {"steps": 6, "level": 1.0}  # a model of random weights is above it
    free = unlearn(tiny_lm, FORGET, retain=RETAIN, **settings | {"level": 1e6})
    expected = unlearn(tiny_lm, FORGET, retain=RETAIN, **settings)
    assert expected.history[-1]["forget_nll"] < expected.history[0]["forget_nll"]
    assert free.history[-1]["forget_nll"] > free.history[0]["forget_nll"]
    saved = {"checkpoints": tmp_path, "checkpoint_every": 1}

    def interrupt(record):
        if record["step"] == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        unlearn(tiny_lm, FORGET, retain=RETAIN, on_step=interrupt, **saved, **settings)
    monkeypatch.setattr(schedules, "FAR_PAST", 1e6)  # from here on only what was stored holds
    resumed = unlearn(tiny_lm, FORGET, retain=RETAIN, **saved, **settings)
    assert torch.allclose(parameters_of(resumed.model), parameters_of(expected.model), atol=1e-6)


def test_a_schedule_of_ones_own_is_asked_after_each_step(tiny_lm, tmp_path):
    import tokenunlearn as tu

    class Third(Schedule):
        def next_lambda(self, lambda_, record, step):
            return lambda_ + 1

        def ends(self, record, step):
            return step == 3

    arguments = {"max_steps": 9, "batch_size": 2, "retain_batch_size": 3, "report_to": "none"}
    lm = LoadedModel(tiny_lm.copy(share_weights=False).model, tiny_lm.tokenizer, "tiny", "")
    trainer = tu.UnlearnTrainer(
        lm,
        tu.UnlearnConfig(str(tmp_path), use_cpu=True, save_strategy="no", **arguments),
        list(FORGET),
        list(RETAIN),
    )
    trainer.schedules.append(Third())
    trainer.train()
    assert trainer.state.global_step == 3 and trainer.reached
    records = [r["lambda"] for r in trainer.state.log_history if "lambda" in r]
    assert records == [trainer.settings.lambda_ + i for i in range(3)]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"patience": 6, "holdout": "none"}, "no level to reach; set holdout, level or base_level"),
        ({"retain_bound": 0.1, "objective": "pdu"}, '"pdu" adapts lambda itself'),
        ({"retain_bound": 0.1, "regularizer": "none"}, "retain_bound needs a retain loss"),
        ({"retain_bound": 0.0}, "retain_bound is 0.0; it must be above 0"),
        ({"patience": -1, "level": 1.0}, "patience is -1; it must be at least 0"),
    ],
)
def test_schedules_that_could_not_act_are_refused_in_one_sentence(settings, message):
    with pytest.raises(TokenUnlearnError, match=message):
        UnlearnSettings.from_settings(settings)
