"""``tokenunlearn score``: results, JSON, one sentence for bad input, exit codes."""

from __future__ import annotations

import json

import pytest

from tests.commands.small_cli import retained
from tokenunlearn.attribution.score_set import ScoreSet
from tokenunlearn.runs.fit import fit


def test_score_writes_the_score_set_it_describes(call, model, samples, tmp_path):
    path = tmp_path / "deep" / "scores.parquet"
    done = call("score", "--model", model, "--samples", samples, "--out", path, "--limit", "3", "--json")
    assert done.code == 0
    scores = ScoreSet.load(path)
    result = done.json
    own = result.pop("fit")
    assert own["seconds"] > 0 and own == fit(scores, seconds=own["seconds"]).to_json()
    assert result == {
        "scores": str(path),
        "samples": 3,
        "tokens": sum(len(s.texts) for s in scores.samples),
        "hash": scores.hash,
        "reading": scores.reading,
        "suggested_threshold": scores.suggested_threshold,
    }


def test_score_takes_preset_and_settings(call, model, samples, tmp_path):
    path = tmp_path / "scores.parquet"
    words = ("score", "--model", model, "--samples", samples, "--out", path)
    done = call(*words, "--mask", "prompt", "--alpha", "0.25", "--no-copy-guard")
    assert done.code == 0
    assert "4 samples" in done.out
    scores = ScoreSet.load(path)
    assert scores.masking["mask"] == "prompt"
    assert (scores.settings.alpha, scores.settings.copy_guard) == (0.25, False)


@pytest.mark.parametrize(
    ("samples", "columns", "sentence"),
    [
        ("file:rows.jsonl", "question", '--columns takes FIELD=COLUMN,FIELD=COLUMN, not "question"'),
        (
            "authors:forget10",
            "question=frage",
            "--columns is only for your own files and datasets on the Hub",
        ),
        ("file:rows.jsonl", "frage=question", 'There is no field "frage"'),
    ],
)
@pytest.mark.parametrize("command", ["score", "attack", "check"])
def test_columns_that_do_not_fit(call, model, command, samples, columns, sentence):
    refused = call(command, "--model", model, "--samples", samples, "--columns", columns)
    assert refused.code == 2
    assert sentence in refused.sentence


def test_a_sample_longer_than_the_context_is_named(call, model, tmp_path):
    path = tmp_path / "long.jsonl"
    path.write_text(json.dumps({"id": "endless", "question": "Who?", "answer": "One of many. " * 200}) + "\n")
    refused = call("score", "--model", model, "--samples", f"file:{path}", "--out", tmp_path / "s.parquet")
    assert refused.code == 2
    assert "endless" in refused.sentence and "256" in refused.sentence
    assert not (tmp_path / "s.parquet").exists()


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--model", "./nowhere"], 'There is no model folder "./nowhere"'),
        (["--model", ""], 'There is no model folder ""'),
        (["--model", "nobody/no-such-model"], "the Hub could not be reached"),
        (["--samples", "file:/no/such/file.jsonl"], 'There is no file "/no/such/file.jsonl"'),
        (["--samples", "authors:forget99"], "forget99"),
        (["--samples", "nonsense"], "nonsense"),
        (["--preset", "best"], 'no preset "best"'),
    ],
)
@pytest.mark.parametrize("command", ["score", "unlearn"])
def test_bad_input_is_one_sentence_exit_2_and_nothing_left(
    call, model, samples, tmp_path, monkeypatch, command, words, sentence
):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    given = {"--model": model, "--samples": samples, "--out": str(tmp_path / "out")}
    given |= dict(zip(words[::2], words[1::2], strict=True))
    more = ["--retain", retained(samples)] if command == "unlearn" else []
    refused = call(command, *[word for pair in given.items() for word in pair], *more)
    assert refused.code == 2
    assert sentence in refused.sentence
    assert "Traceback" not in refused.err
    assert not (tmp_path / "out").exists()


def test_a_place_that_cannot_be_written_is_one_sentence(call, model, samples, tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("")
    names = ["--model", model, "--samples", samples]
    for words in (
        ["score", *names, "--out", blocked / "scores.parquet"],
        ["score", *names, "--out", tmp_path],
        ["unlearn", *names, "--retain", retained(samples), "--out", blocked],
        ["evaluate", "--model", model, "--limit", "2", "--json", blocked / "report.json"],
    ):
        refused = call(*words)
        assert refused.code == 2
        assert str(words[-1]) in refused.sentence


def test_scores_of_a_model_that_a_run_left_come_with_a_warning(call, model, samples, unlearned, tmp_path):
    words = ("score", "--samples", samples, "--out", tmp_path / "scores.parquet")
    done = call(*words, "--adapter", unlearned)
    assert done.code == 0 and "score the model before its runs" in done.err
    assert "before its runs" not in call(*words, "--model", model).err
