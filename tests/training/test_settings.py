"""What an objective recommends fills what is left open, and nothing else."""

import re
from dataclasses import asdict, fields
from pathlib import Path

import pytest

from tokenunlearn.errors import TokenUnlearnError
from tokenunlearn.objectives import OBJECTIVES
from tokenunlearn.training.settings import DEFAULTS, LEARNING_RATES, UnlearnSettings


def test_open_settings_come_from_the_objective_and_given_ones_stay():
    assert UnlearnSettings(objective="graddiff").regularizer == "nll"
    assert UnlearnSettings(objective="graddiff", regularizer="kl").regularizer == "kl"
    assert UnlearnSettings(lambda_=0.0).lambda_ == 0.0
    assert UnlearnSettings(objective="npo").lr_scheduler_type == "constant_with_warmup"
    assert UnlearnSettings(objective="complement").lr_scheduler_type == "linear"
    assert UnlearnSettings(objective="complement", lr_scheduler_type="cosine").lr_scheduler_type == "cosine"
    altnpo, weighted = UnlearnSettings(), UnlearnSettings(weighting="wga")  # which stays as published
    assert (altnpo.frame, altnpo.holdout) == (5.0, "auto")
    assert (weighted.frame, weighted.holdout) == (0.0, "none")
    assert UnlearnSettings(level=2.0).holdout == "none"
    npo = UnlearnSettings(objective="npo")
    assert (npo.regularizer, npo.lambda_, npo.retain_batch_size, npo.steps) == ("kl", 60.0, 36, 40)


def test_recommendations_are_settings_and_survive_a_round_trip():
    own = {f.name for f in fields(UnlearnSettings)}
    for name, kind in OBJECTIVES.items():
        assert set(kind.recommended) <= own
        assert set(kind.recommended) <= DEFAULTS.keys() | {"learning_rate"}
        assert set(kind.recommended.get("learning_rate", LEARNING_RATES)) == set(LEARNING_RATES)
        config = UnlearnSettings(objective=name)
        assert UnlearnSettings(**asdict(config)) == config


@pytest.mark.parametrize("name", ["uniform", "random", "inverted"])
def test_controls_under_their_old_name_are_accepted(name):
    config = UnlearnSettings.from_settings({"weighting": name})
    assert config == UnlearnSettings(control=name)
    assert config.uses_selection == (name != "uniform") and not config.weights_move


def test_settings_by_name_reach_objective_and_weighting():
    config = UnlearnSettings.from_settings(
        {"objective": "npo", "beta": 0.5, "weighting": "wga", "weighting_beta": 3.0, "steps": 7}
    )
    assert config.parameters == {"beta": 0.5}
    assert config.weighting_parameters == {"beta": 3.0}
    assert UnlearnSettings.from_settings(asdict(config)) == config


def test_resolved_names_every_parameter_layer_and_rate(tiny_lm, family_lm):
    config = UnlearnSettings(objective="rmu", weighting="satimp").resolved(tiny_lm)
    assert config.train == "full"
    assert config.layer == 1
    assert config.learning_rate is not None
    assert config.parameters.keys() == {"coefficient"}
    assert config.weighting_parameters == {"beta1": 5.0, "beta2": 1.0}
    deeper = family_lm("llama", num_hidden_layers=4)
    assert UnlearnSettings(objective="rmu").resolved(deeper).layer == 2
    assert UnlearnSettings(regularizer="activation").resolved(deeper).layer == 3
    assert UnlearnSettings().resolved(tiny_lm).layer is None


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"weighting": "nope"}, "There is no weighting"),
        ({"control": "nope"}, "There is no control"),
        ({"control": "random", "weighting": "wga"}, "makes its own weights"),
        ({"weighting_beta": 1.0}, 'The weighting "selection" has no parameter "beta"'),
        ({"objective": "rmu", "beta": 1.0}, 'no parameter "beta"; it takes coefficient'),
        ({"objective": "tpo", "beta": 0.0}, "beta is 0.0; it must be above 0"),
        ({"weighting": "su", "weighting_context": 1.5}, "context is .*1.5.*; it must be a whole number"),
    ],
)
def test_wrong_settings_are_refused_in_one_sentence(settings, message):
    with pytest.raises(TokenUnlearnError, match=message):
        UnlearnSettings.from_settings(settings)


def test_the_table_of_recommended_settings_is_that_of_the_code():
    page = (Path(__file__).parents[2] / "docs" / "method.md").read_text(encoding="utf-8")
    found = re.findall(r"^\| `(\w+)` \| ([\d.]+) \| ([\d.]+) \| (\d+) \| (\w+) \|$", page, re.MULTILINE)
    configs = {name: UnlearnSettings(objective=name) for name in OBJECTIVES}
    assert found == [
        (name, f"{c.gamma:g}", f"{c.lambda_:g}", str(c.steps), c.regularizer) for name, c in configs.items()
    ]
