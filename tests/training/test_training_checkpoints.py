"""An interrupted training ends as an uninterrupted one: weights, records, applied weights, collapse guard."""

import numpy as np
import pytest
import torch

from tests.training.small_run import FORGET, RETAIN, SMALL, parameters_of
from tokenunlearn.attribution.selection import TokenWeights
from tokenunlearn.errors import TokenUnlearnError
from tokenunlearn.training.checkpoints import newest
from tokenunlearn.training.unlearn import unlearn

SETTINGS = SMALL | {"steps": 7, "batch_size": 1, "retain_batch_size": 2, "learning_rate": 1e-3}
HARD, SOFT = (lambda n: np.arange(n) % 2), (lambda n: 2 * np.linspace(0, 1, n))


class Interruption(Exception):
    pass


def token_weights(lm, of):
    rows = tuple(of(e.response_length).astype(float) for e in lm.encode_all(FORGET))
    return TokenWeights(tuple(sample.id for sample in FORGET), rows, {"selection": "hard"})


def interrupting(step):
    def on_step(record):
        if record["step"] == step:
            raise Interruption

    return on_step


def interrupted(lm, folder, step, *arguments, **settings):
    with pytest.raises(Interruption):
        unlearn(
            lm, FORGET, *arguments, retain=RETAIN, checkpoints=folder, on_step=interrupting(step), **settings
        )


def assert_same(one, other):
    assert torch.allclose(parameters_of(one.model), parameters_of(other.model), atol=1e-6)
    assert (one.stopped, one.fault, one.good_step) == (other.stopped, other.fault, other.good_step)
    untimed = [[{k: v for k, v in r.items() if k != "seconds"} for r in run.history] for run in (one, other)]
    assert len(untimed[0]) == len(untimed[1])
    for mine, expected in zip(*untimed, strict=True):
        assert mine == pytest.approx(expected, abs=1e-5)
    for applied, expected in zip(one.token_weights, other.token_weights, strict=True):
        assert applied == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize(
    ("rule", "more"),
    [
        (None, {"train": "full"}),
        (None, {"train": "lora"}),
        (HARD, {"train": "full"}),
        (SOFT, {"train": "lora"}),
        (None, {"weighting": "satimp"}),
        (None, {"objective": "pdu", "warmup": 0}),
        (None, {"objective": "rmu", "train": "lora"}),
    ],
    ids=["full", "lora", "hard", "soft", "weights made in the step", "a dual variable", "few modules"],
)
@pytest.mark.slow
def test_a_repeated_call_ends_as_an_uninterrupted_one(tiny_lm, tmp_path, rule, more):
    weights = token_weights(tiny_lm, rule) if rule else None
    settings = SETTINGS | more
    expected = unlearn(tiny_lm, FORGET, weights, retain=RETAIN, **settings)
    for step in (3, 6):
        interrupted(tiny_lm, tmp_path, step, weights, checkpoint_every=2, **settings)
    begun, shown = [], []
    resumed = unlearn(
        tiny_lm,
        FORGET,
        weights,
        retain=RETAIN,
        checkpoints=tmp_path,
        checkpoint_every=2,
        on_begin=lambda *steps: begun.append(steps),
        on_weights=lambda _, step: shown.append(step),
        **settings,
    )
    assert begun == [(4, 7)] and shown == [5, 6, 7]
    assert_same(resumed, expected)
    seconds = [record["seconds"] for record in resumed.history]
    assert seconds == sorted(seconds)


def test_two_checkpoints_stay_and_a_finished_training_is_not_repeated(tiny_lm, tmp_path):
    arguments = {"retain": RETAIN, "checkpoints": tmp_path, "checkpoint_every": 2, **SETTINGS}
    first = unlearn(tiny_lm, FORGET, **arguments)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["checkpoint-6", "checkpoint-7"]
    steps = []
    again = unlearn(tiny_lm, FORGET, on_step=steps.append, **arguments)
    assert steps == []
    assert_same(again, first)


@pytest.mark.slow
def test_a_half_written_checkpoint_is_passed_over(tiny_lm, tmp_path):
    expected = unlearn(tiny_lm, FORGET, retain=RETAIN, **SETTINGS)
    interrupted(tiny_lm, tmp_path, 6, checkpoint_every=2, **SETTINGS)
    (tmp_path / "checkpoint-4").rename(tmp_path / ".new-checkpoint")
    (tmp_path / "checkpoint-5").mkdir()
    (tmp_path / "checkpoint-4").symlink_to("/proc/self/mem")
    assert newest(tmp_path).step == 2
    resumed = unlearn(tiny_lm, FORGET, retain=RETAIN, checkpoints=tmp_path, **SETTINGS)
    assert_same(resumed, expected)


def test_without_a_whole_checkpoint_training_begins_again(tiny_lm, tmp_path):
    interrupted(tiny_lm, tmp_path, 3, checkpoint_every=2, **SETTINGS)
    (tmp_path / "checkpoint-2" / "unlearning.json").write_text("[]")
    begun = []
    unlearn(
        tiny_lm,
        FORGET,
        retain=RETAIN,
        checkpoints=tmp_path,
        on_begin=lambda *steps: begun.append(steps),
        **SETTINGS,
    )
    assert begun == [(0, 7)]


def test_checkpoints_of_another_training_are_refused(tiny_lm, tmp_path):
    interrupted(tiny_lm, tmp_path, 3, checkpoint_every=2, **SETTINGS)
    with pytest.raises(TokenUnlearnError, match="belongs to another run"):
        unlearn(
            tiny_lm,
            FORGET,
            token_weights(tiny_lm, HARD),
            retain=RETAIN,
            checkpoints=tmp_path,
            **SETTINGS,
        )


def test_a_training_goes_on_where_the_device_computes_in_another_precision(tiny_lm, tmp_path):
    interrupted(tiny_lm, tmp_path, 3, checkpoint_every=2, bf16=True, **SETTINGS)
    begun = []
    resumed = unlearn(
        tiny_lm,
        FORGET,
        retain=RETAIN,
        checkpoints=tmp_path,
        on_begin=lambda *steps: begun.append(steps),
        bf16=False,
        **SETTINGS,
    )
    assert begun == [(2, 7)] and len(resumed.history) == SETTINGS["steps"]


def test_a_training_stopped_on_request_goes_on_from_its_last_step(tiny_lm, tmp_path):
    expected = unlearn(tiny_lm, FORGET, retain=RETAIN, **SETTINGS)
    steps = []
    arguments = {"retain": RETAIN, "checkpoints": tmp_path, "checkpoint_minutes": 60, **SETTINGS}
    unlearn(tiny_lm, FORGET, on_step=steps.append, should_stop=lambda: len(steps) == 2, **arguments)
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint-3"]
    assert_same(unlearn(tiny_lm, FORGET, **arguments), expected)


@pytest.mark.parametrize("steps", [14, 40], ids=["judged at its end", "ended by the guard"])
@pytest.mark.slow
def test_the_collapse_guard_goes_on_with_its_start_strikes_and_good_weights(tiny_lm, tmp_path, steps):
    settings = SETTINGS | {
        "objective": "gradient_ascent",
        "lambda_": 1e-3,
        "steps": steps,
        "learning_rate": 0.02,
        "train": "full",
    }
    expected = unlearn(tiny_lm, FORGET, retain=RETAIN, **settings)
    assert expected.stopped == "collapsed" and "lost the retained samples" in expected.fault
    assert expected.good_step == 10
    last = len(expected.history)
    interrupted(tiny_lm, tmp_path, last - 2, checkpoint_every=1, **settings)
    resumed = unlearn(tiny_lm, FORGET, retain=RETAIN, checkpoints=tmp_path, checkpoint_every=1, **settings)
    assert_same(resumed, expected)
