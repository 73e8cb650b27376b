"""Lists of values as grids of runs, against loops written out."""

from __future__ import annotations

from dataclasses import asdict
from itertools import product

import pytest

from tokenunlearn.errors import TokenUnlearnError
from tokenunlearn.runs.grid import CONTROLS, differences, make_grid, parse_numbers, with_controls
from tokenunlearn.training.settings import UnlearnSettings


def test_numbers_of_a_list_keep_their_order_and_come_once():
    assert parse_numbers("5e-4, 1e-3,,0.0005 ", "Learning rate") == [5e-4, 1e-3]
    assert parse_numbers("2, 0, 1", "Seed", whole=True) == [2, 0, 1]
    assert parse_numbers(" \t", "Seed", whole=True) == []


@pytest.mark.parametrize("text", ["a", "1, b", "nan", "inf", "1;2", "1e999"])
def test_what_is_no_number_is_one_sentence(text):
    with pytest.raises(TokenUnlearnError, match=r"Steps has .*; use numbers separated by commas"):
        parse_numbers(text, "Steps")


def test_whole_numbers_are_asked_for():
    with pytest.raises(TokenUnlearnError, match=r'Seed has "1\.5"; use whole numbers'):
        parse_numbers("1.5", "Seed", whole=True)


def test_a_grid_is_every_combination_once():
    values = {"objective": ["npo", "simnpo"], "learning_rate": [5e-4, 1e-3], "seed": [0, 1, 2], "steps": []}
    expected = [
        UnlearnSettings(objective=o, learning_rate=lr, seed=seed)
        for o, lr, seed in product(["npo", "simnpo"], [5e-4, 1e-3], [0, 1, 2])
    ]
    assert make_grid(values) == expected
    assert make_grid({}) == [UnlearnSettings()]


def test_a_parameter_belongs_to_its_own_objective_and_weighting():
    values = {
        "objective": ["npo", "graddiff"],
        "npo.beta": [0.1, 0.2],
        "weighting": ["selection", "wga"],
        "weighting_wga.beta": [1.0, 5.0],
    }
    grid = make_grid(values)
    assert len(grid) == 2 * (1 + 2) + 1 * (1 + 2)
    assert {c.parameters.get("beta") for c in grid if c.objective == "npo"} == {0.1, 0.2}
    assert all(not c.parameters for c in grid if c.objective == "graddiff")
    assert {c.weighting_parameters.get("beta") for c in grid if c.weighting == "wga"} == {1.0, 5.0}


def test_a_parameter_without_an_owner_goes_to_all_that_have_it():
    values = {
        "objective": ["npo", "graddiff", "simnpo"],
        "beta": [0.1, 0.2],
        "weighting": ["wga", "selection"],
        "weighting_beta": [1.0, 5.0],
    }
    owned = {"npo.beta": [0.1, 0.2], "simnpo.beta": [0.1, 0.2], "weighting_wga.beta": [1.0, 5.0]}
    named = {name: values[name] for name in ("objective", "weighting")}
    assert make_grid(values) == make_grid(named | owned)
    assert len(make_grid(values)) == (2 + 1 + 2) * (2 + 1)


def test_a_run_that_scores_again_has_all_controls():
    found = with_controls(make_grid({"rescore": [2]}))
    assert [(c.control, c.rescore) for c in found] == [
        ("none", 2),
        *((name, 2 * (name != "uniform")) for name in CONTROLS),
    ]


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"beta": [1.0], "objective": ["graddiff"]}, 'objective "graddiff" has no parameter "beta"'),
        ({"weighting_beta": [1.0]}, 'weighting "selection" has no parameter "beta"'),
        ({"objective": ["wish"], "beta": [1.0]}, 'no objective "wish"'),
    ],
)
def test_a_parameter_that_nothing_has_is_one_sentence(values, sentence):
    with pytest.raises(TokenUnlearnError, match=sentence):
        make_grid(values)


def test_old_names_make_grids_too():
    assert [c.regularizer for c in make_grid({"regulariser": ["kl", "nll"]})] == ["kl", "nll"]


def test_what_an_objective_recommends_is_filled_for_each():
    npo, graddiff = make_grid({"objective": ["npo", "graddiff"]})
    assert (npo.regularizer, graddiff.regularizer) == ("kl", "nll")
    assert make_grid({"objective": ["graddiff"], "regularizer": ["kl"]})[0].regularizer == "kl"


def test_controls_differ_in_nothing_but_the_weights():
    grid = make_grid({"seed": [0, 1], "steps": [7]})
    found = with_controls(grid)
    assert [(c.seed, c.control) for c in found] == [
        (seed, name) for seed in (0, 1) for name in ("none", *CONTROLS)
    ]
    for config in found:
        assert asdict(config) | {"control": "none"} == asdict(grid[config.seed])
    assert with_controls(found) == found
    rival = make_grid({"weighting": ["wga"]})
    assert with_controls(rival) == rival


def test_a_grid_that_is_too_large_is_one_sentence():
    seeds = list(range(60))
    with pytest.raises(TokenUnlearnError, match="The grid has 120 runs; at most 100"):
        make_grid({"seed": seeds, "steps": [1, 2]})
    with pytest.raises(TokenUnlearnError, match="The grid has 240 runs"):
        with_controls(make_grid({"seed": seeds}))


def test_a_value_that_is_not_allowed_is_the_configurations_own_sentence():
    with pytest.raises(TokenUnlearnError, match="steps is 0; it must be at least 1"):
        make_grid({"steps": [10, 0]})


def test_runs_are_told_apart_by_what_differs():
    assert differences(make_grid({})) == [""]
    grid = make_grid({"learning_rate": [5e-4, 1e-3], "seed": [0, 1]})
    assert differences(grid)[1] == "learning_rate 0.0005, seed 1"
    assert differences(make_grid({"objective": ["npo", "rmu"]})) == ["npo", "rmu"]
    betas = make_grid({"objective": ["npo", "rmu"], "npo.beta": [0.1, 0.2]})
    assert differences(betas) == ["npo, beta 0.1", "npo, beta 0.2", "rmu"]
    assert len(set(differences(with_controls(grid)))) == 16
