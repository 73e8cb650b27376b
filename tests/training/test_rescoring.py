"""Rescoring: weights that follow the model in training, from the next step on, and over an interruption."""

import numpy as np
import pytest
import torch

import tokenunlearn as tu
from tests.training.small_run import RETAIN, SMALL, parameters_of
from tokenunlearn.errors import TokenUnlearnError
from tokenunlearn.training.step_loss import StepLoss
from tokenunlearn.training.unlearn import unlearn

FORGET = tu.load_samples("authors:forget10").spread(4)
FAST = SMALL | {"steps": 4, "learning_rate": 3e-2, "objective": "gradient_ascent", "train": "full"}
FAST |= {"collapse_guard": False, "batch_size": 4}


@pytest.fixture(scope="module")
def scores(tiny_lm):
    return tu.score(tiny_lm, FORGET, mask="leave-one-out")


@pytest.fixture
def steps(monkeypatch):
    """Weights of every sample in every step: dicts from the sample's number to its row."""
    seen, forward = [], StepLoss.forward

    def watched(self, inputs):
        if torch.is_grad_enabled():
            seen.append(dict(zip(inputs["samples"].tolist(), inputs["weights"].numpy().copy(), strict=True)))
        return forward(self, inputs)

    monkeypatch.setattr(StepLoss, "forward", watched)
    return seen


def run(lm, scores, **settings):
    weights = scores.weights(tu.HardSelection(quantile=0.7))
    return unlearn(lm, FORGET, weights, scores=scores, retain=RETAIN, **FAST | settings)


def test_a_step_after_rescoring_reads_the_weights_of_the_model_as_it_is_then(tiny_lm, scores, steps):
    models = {}

    def keep(lm, step):
        models[step] = lm.copy(share_weights=False)

    done = run(tiny_lm, scores, rescore=2, on_weights=keep)
    first = scores.weights(tu.HardSelection(quantile=0.7))
    then = tu.score(models[2], FORGET, mask="leave-one-out").weights_like(first)
    assert any((a != b).any() for a, b in zip(first.weights, then.weights, strict=True))
    for expected, step in ((first, 0), (first, 1), (then, 2), (then, 3)):
        for number, row in steps[step].items():
            assert row[: len(expected.weights[number])] == pytest.approx(expected.weights[number])
    means = [(2 * a + 2 * b) / 4 for a, b in zip(first.weights, then.weights, strict=True)]
    for row, mean in zip(done.token_weights, means, strict=True):
        assert row == pytest.approx(mean)


def test_as_many_tokens_are_selected_as_at_first_and_what_a_person_forced_stays(tiny_lm, scores, steps):
    forced = scores.with_override(FORGET[0].id, 0, True).with_override(FORGET[0].id, 1, False)
    first = forced.weights(tu.HardSelection(quantile=0.7))
    unlearn(tiny_lm, FORGET, first, scores=forced, retain=RETAIN, rescore=2, **FAST)
    selected = [sum(int(row.sum()) for row in step.values()) for step in steps]
    assert selected[-1] == pytest.approx(first.selected, rel=0.1)  # whole words
    assert steps[-1][0][:2] == pytest.approx([1, 0])


@pytest.mark.parametrize("objective", ["gradient_ascent", "altnpo"])
def test_an_interrupted_run_goes_on_with_the_weights_it_had(tiny_lm, scores, tmp_path, objective):
    class Interruption(Exception):
        pass

    def interrupt(record):
        if record["step"] == 3:
            raise Interruption

    settings = {"rescore": 2, "objective": objective, "learning_rate": 1e-2}
    expected = run(tiny_lm, scores, **settings)
    saved = {"checkpoints": tmp_path, "checkpoint_every": 1}
    with pytest.raises(Interruption):
        run(tiny_lm, scores, on_step=interrupt, **saved, **settings)
    resumed = run(tiny_lm, scores, **saved, **settings)
    assert torch.allclose(parameters_of(resumed.model), parameters_of(expected.model), atol=1e-6)
    for a, b in zip(resumed.token_weights, expected.token_weights, strict=True):
        assert np.allclose(a, b)


def test_rescoring_after_the_last_step_changes_nothing(tiny_lm, scores):
    plain, late = run(tiny_lm, scores), run(tiny_lm, scores, rescore=9)
    assert torch.equal(parameters_of(plain.model), parameters_of(late.model))


def test_soft_weights_keep_their_temperature_and_a_lora_adapter_is_scored_too(tiny_lm, steps):
    scores = tu.score(tiny_lm, FORGET)
    weights = scores.weights(tu.SoftWeighting(temperature=0.2))
    unlearn(tiny_lm, FORGET, weights, retain=RETAIN, rescore=1, **FAST | {"train": "lora", "steps": 2})
    for number, row in steps[0].items():
        length = len(weights.weights[number])
        assert row[:length] == pytest.approx(weights.weights[number])
        assert steps[1][number][:length].mean() == pytest.approx(1)
        assert steps[1][number][:length] != pytest.approx(row[:length])


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"control": "uniform"}, "rescore needs selected token weights"),
        ({"weighting": "wga"}, "rescore needs selected token weights"),
        ({}, "rescore needs token weights that come from scores; there are none"),
    ],
)
def test_rescoring_without_a_selection_is_refused_in_one_sentence(tiny_lm, settings, message):
    with pytest.raises(TokenUnlearnError, match=message):
        unlearn(tiny_lm, FORGET, retain=RETAIN, rescore=2, **FAST | settings)
