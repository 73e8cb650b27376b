"""Settings of objectives and weightings on the command line reach the run as typed."""

import json
from dataclasses import fields

import pytest
import torch
import typer
from typer.testing import CliRunner

from tokenunlearn.attribution.importance import ImportanceSettings
from tokenunlearn.attribution.masking_settings import MaskingSettings
from tokenunlearn.cli import app
from tokenunlearn.commands.console import assigned
from tokenunlearn.commands.options import flag_of
from tokenunlearn.errors import TokenUnlearnError
from tokenunlearn.objectives import OBJECTIVES, WEIGHTINGS
from tokenunlearn.runs.store import RunStore
from tokenunlearn.training.settings import UnlearnSettings


def test_assignments_are_numbers_truth_values_or_text():
    given = ["coefficient=4", "weighting_beta=1.5", "published-scale=true", "base_model=smollm2", "lambda=3"]
    assert assigned(given) == {
        "coefficient": 4,
        "weighting_beta": 1.5,
        "published_scale": True,
        "base_model": "smollm2",
        "lambda_": 3,
    }
    for wrong in ("coefficient", "=4"):
        with pytest.raises(TokenUnlearnError, match="--set takes NAME=VALUE"):
            assigned([wrong])


def test_help_names_every_objective_and_weighting():
    text = CliRunner().invoke(app, ["unlearn", "--help"], env={"COLUMNS": "400"}).output
    assert all(name in text for name in (*OBJECTIVES, *WEIGHTINGS))


@pytest.fixture
def arguments(tiny_folder, tmp_path, short_answers):
    rows = [{"question": f"Who lives in house {i}?", "answer": f"The baker {i} does."} for i in range(2)]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    samples = f"file:{tmp_path / 'rows.jsonl'}"
    others = [row | {"answer": "It is empty."} for row in rows]
    (tmp_path / "retained.jsonl").write_text("".join(json.dumps(row) + "\n" for row in others))
    retain = f"file:{tmp_path / 'retained.jsonl'}"
    return [
        *("unlearn", "--model", str(tiny_folder), "--samples", samples, "--retain", retain),
        *("--steps", "1", "--batch-size", "2", "--retain-batch-size", "2", "--out", str(tmp_path / "runs")),
    ]


def test_a_run_of_rmu_under_a_rivals_weighting_needs_no_scores(arguments, tmp_path):
    extra = ["--objective", "rmu", "--set", "coefficient=2", "--set", "layer=1", "--weighting", "wga"]
    result = CliRunner().invoke(app, [*arguments, *extra, "--set", "weighting_beta=3"])
    assert result.exit_code == 0, result.output
    (run,) = RunStore(tmp_path / "runs").runs()
    assert "rmu-wga" in run.id
    assert run.scores is None
    assert run.spec.config["parameters"] == {"coefficient": 2}
    assert run.resolved["weighting_parameters"] == {"beta": 3}
    assert run.resolved["trained"] == ["model.layers.0.mlp.down_proj", "model.layers.1.mlp.down_proj"]
    assert "mlp.down_proj" in result.output


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        (["--set", "coefficient=4"], 'no parameter "coefficient"; it takes beta'),
        (["--lr-scheduler-type", "steep"], "use one of linear, cosine, constant_with_warmup"),
        (["--set", "steps=few"], 'steps is "few"; it must be a whole number'),
        (["--set", "beta=big"], 'beta is "big"; it must be a number'),
        (["--weighting", "nope"], "There is no weighting"),
    ],
)
def test_wrong_settings_are_refused_in_one_sentence(arguments, extra, message):
    result = CliRunner().invoke(app, [*arguments, *extra])
    assert isinstance(result.exception, TokenUnlearnError)
    assert message in str(result.exception)


@pytest.mark.slow
def test_what_is_watched_is_kept_with_the_run(arguments, tmp_path):
    watch = ["--watch-every", "1", "--watch-samples", "2", "--watch-question", "Who?"]
    result = CliRunner().invoke(app, [*arguments, "--selection", "uniform", *watch])
    assert result.exit_code == 0, result.output
    (run,) = RunStore(tmp_path / "runs").runs()
    assert run.spec.watch == {"every": 1, "samples": 2, "questions": ["Who?"]}
    assert [record["step"] for record in run.watched] == [0, 1]
    assert [answer["question"] for answer in run.watched[0]["answers"]] == ["Who?"]
    refused = CliRunner().invoke(app, [*arguments, "--watch-every", "-1"])
    assert "watch every" in str(refused.exception)


@pytest.mark.slow
def test_a_grid_with_controls_is_one_run_and_one_line_each(arguments, tmp_path):
    extra = ["--learning-rate", "5e-4,1e-3", "--with-controls", "--threshold", "0.3", "--label", "mine"]
    result = CliRunner().invoke(app, [*arguments, *extra], env={"COLUMNS": "400"})
    assert result.exit_code == 0, result.output
    runs = RunStore(tmp_path / "runs").runs()
    specs = sorted((run.spec for run in runs), key=lambda spec: result.output.index(spec.id))
    rates_and_weights = [(spec.config["learning_rate"], spec.config["control"]) for spec in specs]
    kinds = ("none", "uniform", "random", "inverted")
    assert rates_and_weights == [(rate, kind) for rate in (5e-4, 1e-3) for kind in kinds]
    assert specs[0].label == "mine: control none, learning_rate 0.0005"
    lines = [line for line in result.output.splitlines() if line.startswith("completed ")]
    assert len(lines) == 8 and all(spec.id in line for spec, line in zip(specs, lines, strict=True))
    assert all(run.state.status == "completed" for run in runs)
    assert len({run.scores.hash for run in runs}) == 1


def test_a_cancelled_run_ends_its_grid(arguments, tmp_path, monkeypatch):
    cancelled = lambda run, load, between: run.set_state(status="cancelled", message="Cancelled.")  # noqa: E731
    monkeypatch.setattr("tokenunlearn.runs.runner.execute", cancelled)
    result = CliRunner().invoke(app, [*arguments, "--selection", "uniform", "--seed", "0,1,2", "--json"])
    assert result.exit_code == 0, result.output
    assert [row["status"] for row in json.loads(result.stdout)] == ["cancelled"]
    assert len(RunStore(tmp_path / "runs").runs()) == 1


@pytest.mark.slow
def test_a_grid_prints_its_runs_as_one_list(arguments, tmp_path):
    extra = ["--selection", "uniform", "--set", "beta=0.1,0.2", "--seed", "3", "--json"]
    result = CliRunner().invoke(app, [*arguments, *extra])
    assert result.exit_code == 0, result.output
    shown = json.loads(result.stdout)
    assert [row["status"] for row in shown] == ["completed", "completed"]
    store = RunStore(tmp_path / "runs")
    assert [store.get(row["run"]).spec.config["parameters"]["beta"] for row in shown] == [0.1, 0.2]
    assert all(row["last_step"]["step"] == 1 for row in shown)


@pytest.mark.slow
def test_a_run_of_a_grid_that_fails_leaves_the_others(arguments, tmp_path):
    extra = ["--selection", "uniform", "--train", "full", "--learning-rate", "1e38,1e-3", "--steps", "3"]
    result = CliRunner().invoke(app, [*arguments, *extra], env={"COLUMNS": "400"})
    assert result.exit_code == 1
    assert {run.state.status for run in RunStore(tmp_path / "runs").runs()} == {"completed", "failed"}
    assert "failed " in result.output and "completed " in result.output


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        (["--steps", "1,two"], '--steps has "two"; use whole numbers separated by commas'),
        (["--learning-rate", "inf"], '--learning-rate has "inf"; use numbers'),
        (["--set", "learning_rate=1e999"], "learning_rate is inf; it must be a finite number"),
        (["--steps", "1" + 30 * "0"], "it must be at most 1,000,000"),
        (["--seed", ",".join(map(str, range(101)))], "The grid has 101 runs"),
        (["--set", "objective=[1]"], 'There is no objective "[1]"'),
    ],
)
def test_what_cannot_be_a_grid_is_one_sentence(arguments, tmp_path, extra, message):
    result = CliRunner().invoke(app, [*arguments, *extra])
    assert isinstance(result.exception, TokenUnlearnError)
    assert message in str(result.exception)
    assert not (tmp_path / "runs").exists()


def test_every_setting_has_an_option_with_its_help():
    command = typer.main.get_command(app)
    classes = {"unlearn": [UnlearnSettings], "score": [MaskingSettings, ImportanceSettings]}
    for name, kinds in classes.items():
        options = {option.name: option for option in command.commands[name].params}
        for field in (f for kind in kinds for f in fields(kind) if not f.name.endswith("parameters")):
            assert flag_of(field.name) in options[field.name].opts
            assert options[field.name].help.startswith(field.metadata["help"])
    found = {flag for option in command.commands["unlearn"].params for flag in option.opts}
    assert {"--lambda", "--regularizer", "--regulariser", "--set", "--with-controls"} <= found


def test_a_path_with_a_comma_is_one_base_model(arguments, tmp_path):
    extra = ["--selection", "uniform", "--base-model", "a,b", "--set", "base_model=c,d"]
    result = CliRunner().invoke(app, [*arguments, *extra])
    assert result.exit_code == 0, result.output
    (run,) = RunStore(tmp_path / "runs").runs()
    assert run.spec.config["base_model"] == "c,d"


@pytest.mark.parametrize(
    ("bits", "sentence"), [("3bit", "Unknown quantization"), ("8bit", "needs a GPU and bits")]
)
def test_quantization_that_cannot_be_had_is_one_sentence(arguments, bits, sentence):
    if bits == "8bit" and torch.cuda.is_available():
        pytest.skip("a GPU is here")
    result = CliRunner().invoke(app, [*arguments, "--quantization", bits])
    assert isinstance(result.exception, TokenUnlearnError) or result.exit_code
    assert sentence in str(result.exception)
