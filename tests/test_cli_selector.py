"""Selectors on the command line: fitted, shown, and used by score and unlearn."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from typer.testing import CliRunner

from tokenunlearn.attribution.score import score
from tokenunlearn.attribution.score_set import ScoreSet
from tokenunlearn.attribution.selector import Selector, fit_selector
from tokenunlearn.attribution.signals import PORTABLE, SIGNALS
from tokenunlearn.cli import app
from tokenunlearn.datasets import load_samples
from tokenunlearn.errors import TokenUnlearnError
from tokenunlearn.evaluation.metrics.token_auroc import token_auroc
from tokenunlearn.models.loading import load_model
from tokenunlearn.runs.store import RunStore

pytestmark = pytest.mark.usefixtures("short_answers")
MARKED, UNMARKED = 7, 2
ROWS = [
    {"question": f"Who lives in house {i}?", "answer": f"The old baker {i} does.", "span": [[8, 15]]}
    for i in range(MARKED)
] + [{"question": f"Who owns house {i}?", "answer": "Nobody does."} for i in range(UNMARKED)]


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("TOKENUNLEARN_CACHE", str(tmp_path / "cache"))


@pytest.fixture(scope="module")
def model(tiny_folder):
    return str(tiny_folder)


def write_rows(path, rows) -> str:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return f"file:{path}"


@pytest.fixture
def samples(tmp_path):
    return write_rows(tmp_path / "rows.jsonl", ROWS)


@pytest.fixture
def fitted(call, model, samples, tmp_path):
    """A selector's file."""
    path = tmp_path / "deep" / "houses.json"
    call("selector", "fit", "--samples", samples, "--model", model, "--out", path)
    return path


@pytest.fixture
def call():
    """Calls the command line with words; its output."""

    def called(*words) -> str:
        result = CliRunner().invoke(app, [str(word) for word in words], env={"COLUMNS": "200"})
        if result.exception:
            raise result.exception
        return result.stdout

    return called


@pytest.mark.slow
def test_fit_learns_what_the_library_learns(call, model, samples, tmp_path):
    path = tmp_path / "selector.json"
    words = ("selector", "fit", "--samples", samples, "--model", model, "--out", path, "--name", "houses")
    shown = call(*words)
    scores = score(load_model(model), load_samples(samples))
    assert Selector.load(path) == fit_selector("houses", [scores])
    assert f"{MARKED} of {MARKED + UNMARKED}" in shown
    found = json.loads(call(*words, "--json"))
    selector = Selector.load(path)
    assert (found["name"], found["hash"], found["selector"]) == ("houses", selector.hash, str(path))
    learned, gold = replace(scores, selector=selector), [x.gold for x in scores.samples[:MARKED]]
    (row,) = found["sets"]
    assert (row["rows"], row["of"], row["model"]) == (MARKED, MARKED + UNMARKED, scores.model)
    assert row["auroc"] == pytest.approx(token_auroc(learned.importance[:MARKED], gold))
    assert row["auroc_of_the_two_signals"] == pytest.approx(token_auroc(scores.importance[:MARKED], gold))
    assert f"{row['auroc']:.3f}" in shown and selector.hash in shown


@pytest.mark.slow
def test_several_samples_are_learned_from_together(call, model, samples, tmp_path):
    others = write_rows(tmp_path / "others.jsonl", ROWS[:5])
    path = tmp_path / "s.json"
    words = ("selector", "fit", "--samples", samples, "--samples", others, "--out", path)
    call(*words, "--model", model)
    one_model = Selector.load(path)
    assert [source.split("(")[1] for source in one_model.fitted_on] == ["9 samples)", "5 samples)"]
    call(*words, "--model", model, "--model", model)
    assert Selector.load(path) == one_model


def test_show_sorts_the_signals_by_weight(call, fitted):
    selector, shown = Selector.load(fitted), call("selector", "show", fitted)
    assert selector.name == "houses" and selector.hash in shown
    assert f"fitted on {selector.fitted_on[0]}" in shown
    weights = dict(zip(selector.signals, selector.weights, strict=True))
    rows = [line.split("│")[1:4] for line in shown.splitlines() if line.startswith("│ ")]
    cells = [[cell.strip() for cell in row] for row in rows]
    by_size = sorted(weights, key=lambda name: -abs(weights[name]))
    assert [row[:2] for row in cells if row[0]] == [[name, f"{weights[name]:+.3f}"] for name in by_size]
    helps = " ".join(row[2] for row in cells)  # long ones go on in the next line
    assert helps == " ".join(SIGNALS[name].help for name in by_size)
    printed = json.loads(call("selector", "show", fitted, "--json"))
    assert printed == {**json.loads(fitted.read_text()), "hash": selector.hash}


def test_some_signals_are_enough(call, model, samples, tmp_path):
    path = tmp_path / "s.json"
    words = ("selector", "fit", "--samples", samples, "--model", model, "--out", path, "--signals")
    for signals, names in (("portable", PORTABLE), ("entropy,names", ("entropy", "names"))):
        call(*words, signals)
        assert Selector.load(path).signals == names
    with pytest.raises(TokenUnlearnError, match='no signal "luck"'):
        call(*words, "entropy,luck")


@pytest.mark.slow
def test_signals_on_request_are_measured_learned_and_used(call, model, samples, tmp_path):
    fitted, path = tmp_path / "s.json", tmp_path / "scores.parquet"
    given = ("--model", model, "--samples", samples, "--prefix", "--base-model", model)
    call("selector", "fit", *given, "--out", fitted)
    assert Selector.load(fitted).signals == tuple(SIGNALS)
    call("score", *given, "--selector", fitted, "--out", path)
    scores = ScoreSet.load(path)
    assert scores.options == {"prefix", "base_model"} and scores.masking["base_model"] == model
    expected = score(load_model(model), load_samples(samples), prefix=True, base_model=model)
    assert scores == replace(expected, selector=Selector.load(fitted))
    call(
        "unlearn",
        "--model",
        model,
        "--samples",
        samples,
        "--scores",
        path,
        *QUICK,
        "--out",
        tmp_path / "runs",
    )
    (run,) = RunStore(tmp_path / "runs").runs()
    assert run.state.status == "completed" and run.scores == scores


def test_score_names_the_selector(call, model, samples, fitted, tmp_path):
    path = tmp_path / "scores.parquet"
    shown = call("score", "--model", model, "--samples", samples, "--selector", fitted, "--out", path)
    scores = ScoreSet.load(path)
    assert scores.selector == Selector.load(fitted)
    assert f"importance from the selector houses ({scores.selector.hash})" in shown
    assert f"suggested threshold {scores.suggested_threshold:g}" in shown


@pytest.mark.parametrize(
    ("reading", "words"),
    [
        ("plain", "entropy reading plain; suggested"),
        ("sharp", "reading sharp"),
        ("tail", "reading tail"),
        (None, "reading "),
    ],
)
def test_score_says_how_the_entropy_is_read(call, model, samples, tmp_path, reading, words):
    path = tmp_path / "scores.parquet"
    line = ("score", "--model", model, "--samples", samples, "--out", path)
    shown = call(*line, *(("--reading", reading) if reading else ()))
    scores = ScoreSet.load(path)
    assert scores.settings.reading == (reading or "auto")
    assert words in shown
    if scores.reading != "plain":
        relation = "because" if scores.reading == scores.chosen_reading else "although"
        why = {
            "sharp": "the model is uncertain at ",
            "tail": "the entropies of the words do not fall into two groups; ",
        }[scores.chosen_reading]
        assert f"reading {scores.reading}, {relation} {why}" in shown
    assert f"suggested threshold {scores.suggested_threshold:g}" in shown


NEEDS_BASE = '"gap" is not measured by default; score with the option base_model (--base-model '
QUICK = ("--steps", "1", "--batch-size", "2", "--regularizer", "none")


@pytest.mark.parametrize("scored", [False, True])
@pytest.mark.slow
def test_unlearn_takes_the_weights_from_the_selector(call, model, samples, fitted, tmp_path, scored):
    path = tmp_path / "scores.parquet"
    call("score", "--model", model, "--samples", samples, "--out", path)
    given = ("--scores", path) if scored else ()
    words = ("unlearn", "--model", model, "--samples", samples, "--selector", fitted, *given, *QUICK)
    call(*words, "--out", tmp_path / "runs")
    (run,) = RunStore(tmp_path / "runs").runs()
    selector = Selector.load(fitted)
    assert run.state.status == "completed"
    assert run.scores == replace(ScoreSet.load(path), selector=selector)
    assert run.spec.scoring["selector"] == json.loads(fitted.read_text())
    assert run.spec.rule == {"selection": "hard"}  # the threshold comes from the scores


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["selector", "fit", "--samples", "{unmarked}", "--model", "{model}"], "have no gold spans"),
        (["selector", "fit", "--samples", "{few}", "--model", "{model}"], "4 of the samples have gold spans"),
        (
            ["selector", "fit", "--samples", "{few}", "--model", "demo", "--model", "demo"],
            "There are 1 --samples but 2 --model",
        ),
        (["selector", "show", "{few_file}"], "is not a selector"),
        (["score", "--samples", "{few}", "--selector", "none.json"], 'There is no selector "none.json"'),
        (["unlearn", "--samples", "{few}", "--selector", "none.json", *QUICK], "There is no selector"),
        (["selector", "fit", "--samples", "{few}", "--signals", "gap", "--prefix"], NEEDS_BASE),
        (["score", "--samples", "{few}", "--selector", "{gap}", "--prefix"], NEEDS_BASE),
        (["unlearn", "--samples", "{few}", "--selector", "{gap}", *QUICK], NEEDS_BASE),
        (["score", "--samples", "{few}", "--model", "{model}", "--base-model", "auto"], "No base model is"),
        (
            ["score", "--samples", "{few}", "--model", "{model}", "--base-model", "demo"],
            "a different vocabulary",
        ),
        (["score", "--samples", "{few}", "--reading", "loud"], 'reading is "loud"; it must be one of'),
    ],
)
def test_bad_input_is_one_sentence_and_leaves_nothing(call, model, tmp_path, words, sentence):
    names = {
        "unmarked": write_rows(tmp_path / "unmarked.jsonl", ROWS[MARKED:]),
        "few": write_rows(tmp_path / "few.jsonl", ROWS[:4]),
        "few_file": write_rows(tmp_path / "few.json", ROWS[:1]).removeprefix("file:"),
        "gap": Selector("gap", ("gap",), (1.0,), 0.0).save(tmp_path / "gap.json"),
        "model": model,
    }
    where = [] if words[1] == "show" else ["--out", tmp_path / "out"]
    with pytest.raises(TokenUnlearnError) as refused:
        call(*(str(word).format(**names) for word in words), *where)
    assert sentence in str(refused.value)
    assert not (tmp_path / "out").exists()
