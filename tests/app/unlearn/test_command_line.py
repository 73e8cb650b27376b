"""The command line that repeats a run, read back by the command line itself."""

from __future__ import annotations

import shlex
from dataclasses import replace

import pytest
import typer

from app.unlearn.command_line import command_lines, score_line
from tests.stored_run import write_run
from tokenunlearn.cli import app
from tokenunlearn.runs.run import Run
from tokenunlearn.runs.spec import RunSpec


def parsed(line: str) -> dict:
    words = shlex.split(line, comments=True)
    assert words[:4] == ["python", "-m", "tokenunlearn", "unlearn"]
    command = typer.main.get_command(app).commands["unlearn"]
    return command.make_context("unlearn", words[4:]).params


def line_of(spec: RunSpec, run: Run) -> str:
    return command_lines(spec, run.folder, run.folder.parent)


@pytest.fixture
def run(tmp_path):
    settings = {
        "objective": "npo",
        "steps": 7,
        "learning_rate": 2e-05,
        "seed": 3,
        "lambda_": 0.5,
        "beta": 0.25,
    }
    return write_run(tmp_path, "20260101-100000-npo-hard-0001", "a 'b'; rm -rf $HOME", **settings)


def test_the_command_line_reads_back_the_spec(run):
    found = parsed(line_of(run.spec, run))
    assert found["model"] == "demo"
    assert (found["samples"], found["retain"]) == ("authors:forget10", "authors:retain90")
    assert (found["selection"], found["threshold"]) == ("hard", 0.6)
    assert (found["steps"], found["learning_rate"], found["seed"]) == ([7], [2e-05], [3])
    assert (found["lambda_"], found["beta"], found["regularizer"]) == ([0.5], [0.25], ["kl"])
    assert found["label"] == "a 'b'; rm -rf $HOME"
    assert found["scores"] is None
    assert found["preset"] == "default"


def test_numbers_keep_all_their_digits(run):
    spec = replace(run.spec, rule={"selection": "hard", "threshold": 0.7718941})
    spec = replace(spec, config=dict(spec.config) | {"learning_rate": 1.2345678e-05, "lambda_": 30.0})
    line = line_of(spec, run)
    assert parsed(line)["threshold"] == 0.7718941
    assert parsed(line)["learning_rate"] == [1.2345678e-05]
    assert "--lambda 30 " in line


def test_a_given_score_set_is_taken_from_the_run(run):
    found = parsed(line_of(replace(run.spec, score_hash="abc"), run))
    assert found["scores"] == run.folder / "scores.parquet"


def test_scores_made_with_a_selector_are_taken_from_the_run(run):
    scoring = {"preset": "default", "selector": {"name": "x"}}
    line = line_of(replace(run.spec, scoring=scoring), run)
    assert parsed(line)["scores"] == run.folder / "scores.parquet"
    assert "selector" not in line


def test_values_that_begin_with_a_dash_stay_values(run):
    assert parsed(line_of(replace(run.spec, label="-x"), run))["label"] == "-x"


def test_what_the_command_line_cannot_take_is_said(run):
    spec = replace(run.spec, config=dict(run.spec.config) | {"unheard_of": "1\n--evil"})
    line = line_of(spec, run)
    assert "\n# unheard_of: 1 --evil (no command-line option)" in line
    assert parsed(line)["steps"] == [7]


def test_settings_without_an_option_go_through_set(run):
    config = dict(run.spec.config) | {"weighting": "wga", "weighting_parameters": {"beta": 2.0}, "lora_r": 4}
    found = parsed(line_of(replace(run.spec, config=config), run))
    assert (found["weighting"], found["lora_r"]) == (["wga"], [4])
    assert found["assignments"] == ["weighting_beta=2.0"]


def test_what_is_watched_is_part_of_the_line(run):
    watch = {"every": 5, "samples": 8, "questions": ["Who is 'he'?", "--help"]}
    found = parsed(line_of(replace(run.spec, watch=watch), run))
    assert (found["watch_every"], found["watch_samples"]) == (5, 8)
    assert list(found["watch_question"]) == ["Who is 'he'?", "--help"]
    assert "--watch-samples" not in line_of(replace(run.spec, watch=watch), run)
    few = parsed(line_of(replace(run.spec, watch=watch | {"samples": 3}), run))
    assert few["watch_samples"] == 3
    assert "--watch" not in line_of(run.spec, run)


def test_mix_settings_are_options_of_score(tmp_path):
    settings = {"mask": "prompt", "copy_guard": False, "normalizer": "minmax"}
    line = score_line("demo", "authors:forget10", settings, tmp_path / "s.parquet")
    words = shlex.split(line)
    command = typer.main.get_command(app).commands["score"]
    found = command.make_context("score", words[4:]).params
    assert (found["mask"], found["copy_guard"], found["normalizer"]) == ("prompt", False, "minmax")
    assert not found["assignments"]
