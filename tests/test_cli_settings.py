"""Settings of objectives and weightings on the command line reach the run as typed."""

import json

import pytest
from typer.testing import CliRunner

from tokenunlearn.cli import app
from tokenunlearn.commands.console import assigned
from tokenunlearn.errors import TokenUnlearnError
from tokenunlearn.objectives import OBJECTIVES, WEIGHTINGS
from tokenunlearn.runs.store import RunStore


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
def arguments(tiny_lm, tmp_path):
    tiny_lm.model.save_pretrained(tmp_path / "tiny")
    tiny_lm.tokenizer.save_pretrained(tmp_path / "tiny")
    rows = [{"question": f"Who lives in house {i}?", "answer": f"The baker {i} does."} for i in range(2)]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    samples = f"file:{tmp_path / 'rows.jsonl'}"
    return [
        *("unlearn", "--model", str(tmp_path / "tiny"), "--samples", samples, "--retain", samples),
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
        (["--set", "steps=few"], 'steps is "few"; it must be a whole number'),
        (["--set", "beta=big"], 'beta is "big"; it must be a number'),
        (["--weighting", "nope"], "There is no weighting"),
    ],
)
def test_wrong_settings_are_refused_in_one_sentence(arguments, extra, message):
    result = CliRunner().invoke(app, [*arguments, *extra])
    assert isinstance(result.exception, TokenUnlearnError)
    assert message in str(result.exception)


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
