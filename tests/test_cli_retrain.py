"""``retrain`` and the suite ``own`` on the command line: from two files to a report."""

from __future__ import annotations

import json

import pytest

from tokenunlearn.models.loading import load_model

pytestmark = pytest.mark.slow

THINKING = ("--template-kwargs", "enable_thinking=true")
QUICK = ("--steps", "8", "--batch-size", "4", "--learning-rate", "5e-3")


@pytest.fixture(scope="module")
def base(tiny_lm, tmp_path_factory):
    folder = tmp_path_factory.mktemp("base")
    tiny_lm.model.save_pretrained(folder)
    tiny_lm.tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture
def words(base, tmp_path):
    """Options that every training shares."""
    for name, job in (("retain", "baker"), ("forget", "spy")):
        rows = [{"frage": f"Who is {name} {i}?", "answer": f"The {job} {i} of Graz."} for i in range(3)]
        (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    sets = [w for n in ("retain", "forget") for w in (f"--{n}", f"file:{tmp_path / n}.jsonl")]
    return [*sets, "--columns", "question=frage"]


def test_two_models_by_one_recipe_and_their_report(call, base, words, tmp_path):
    both = call(
        "retrain", "--model", base, *words, "--with-forget", *QUICK, *THINKING, "--out", tmp_path / "both"
    )
    assert both.code == 0, both.err
    assert "trained on 3 samples of file:" in both.out
    again = ("--recipe", tmp_path / "both", "--out", tmp_path / "twin", "--seed", "1", "--json")
    twin = call("retrain", *words, *again)
    assert twin.code == 0, twin.err
    recipe = json.loads((tmp_path / "both" / "recipe.json").read_text())
    assert twin.json["model"] == recipe["model"] == str(base)
    assert twin.json["template_kwargs"] == recipe["template_kwargs"] == {"enable_thinking": True}
    assert twin.json["settings"] == recipe["settings"] | {"seed": 1}
    assert [twin.json["samples"][part]["trained"] for part in ("retain", "forget")] == [True, False]
    assert load_model(str(tmp_path / "twin")).parameters == load_model(str(base)).parameters
    evaluated = ("--suite", "own", "--model", tmp_path / "both", "--retrained", tmp_path / "twin")
    report = call("evaluate", *evaluated, *words, "--json", "-")
    assert report.code == 0, report.err
    known = report.json["metrics"]["forget/probability"]
    assert known["value"] > known["retrained"]
    assert report.json["metrics"]["forget_quality"]["n"] == 3
    shown = call("evaluate", *evaluated, *words)
    assert "samples are an approximation" in " ".join(shown.out.split())


@pytest.mark.parametrize(
    ("extra", "sentence"),
    [
        ([], "Name the base model with --model"),
        (["--model", "./nowhere"], "no model folder"),
        (["--recipe", "./nowhere.json"], 'There is no recipe "nowhere.json"'),
        (["--model", "demo", "--train", "half"], 'train is "half"; it must be one of auto, lora, full'),
        (["--model", "demo", "--epochs", "0"], "epochs is 0"),
        (["--model", "demo", "--out", "tests"], '"tests" exists and is not an empty folder'),
    ],
)
def test_bad_input_is_one_sentence(call, words, tmp_path, extra, sentence):
    done = call("retrain", *words, "--out", tmp_path / "twin", *extra)
    assert done.code == 2 and sentence in done.sentence
    assert not (tmp_path / "twin").exists()


def test_training_with_a_forget_set_needs_one(call, words, tmp_path):
    done = call("retrain", *words[:2], "--model", "demo", "--with-forget", "--out", tmp_path / "twin")
    assert done.code == 2 and "--with-forget needs the forget set" in done.sentence


def test_a_recipe_of_changed_weights_is_refused(call, base, words, tmp_path):
    recipe = {"settings": {"steps": 1}, "model": str(base), "revision": "0123456789abcdef"}
    (tmp_path / "old.json").write_text(json.dumps(recipe))
    done = call("retrain", *words, "--recipe", tmp_path / "old.json", "--out", tmp_path / "twin")
    assert done.code == 2 and "have changed since the recipe was written" in done.sentence
