"""What is watched during training: measured for real, and without a trace in the training itself."""

from __future__ import annotations

import json

import pytest

from tokenunlearn.datasets import load_samples
from tokenunlearn.errors import RunError
from tokenunlearn.evaluation.watch import WATCHED_TOKENS, Watcher, WatchSettings, default_questions
from tokenunlearn.models.forward import response_nll_and_rank
from tokenunlearn.models.generation import generate
from tokenunlearn.runs.runner import execute
from tokenunlearn.runs.spec import RunSpec
from tokenunlearn.runs.store import RunStore
from tokenunlearn.training.settings import UnlearnSettings
from tokenunlearn.training.unlearn import unlearn

ROWS = [
    {"question": f"Who lives in house {i}?", "answer": f"The baker {i} does.", "span": [[4, 9], [10, 11]]}
    for i in range(4)
]


@pytest.fixture
def samples(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    return load_samples(f"file:{path}")


def config(**changes):
    return UnlearnSettings(
        steps=5, batch_size=2, retain_batch_size=2, regularizer="none", learning_rate=1e-2, **changes
    )


@pytest.mark.parametrize("train", ["full", "lora"])
@pytest.mark.slow
def test_watching_changes_neither_steps_nor_weights(tiny_lm, samples, train):
    records = []
    watcher = Watcher(WatchSettings(2), tiny_lm, samples, samples, 5, records.append)
    watched = unlearn(tiny_lm, samples, config=config(train=train), on_weights=watcher)
    plain = unlearn(tiny_lm, samples, config=config(train=train))
    assert [r["step"] for r in records] == [0, 2, 4, 5]
    for a, b in zip(watched.history, plain.history, strict=True):
        assert {k: v for k, v in a.items() if k != "seconds"} == {
            k: v for k, v in b.items() if k != "seconds"
        }
    for a, b in zip(watched.model.model.parameters(), plain.model.model.parameters(), strict=True):
        assert a.equal(b)


@pytest.mark.slow
def test_what_is_recorded_is_what_the_model_says_at_that_step(tiny_lm, samples):
    records = []
    settings = WatchSettings(1, questions=("Who lives in house 2?", "Who?"))
    watcher = Watcher(settings, tiny_lm, samples, None, 5, records.append)
    end = unlearn(tiny_lm, samples, config=config(), on_weights=watcher).model
    for record, lm in ((records[0], tiny_lm), (records[-1], end)):
        answers = generate(lm, settings.questions, max_new_tokens=WATCHED_TOKENS)
        assert record["answers"] == [
            {"question": q, "answer": a} for q, a in zip(settings.questions, answers, strict=True)
        ]
        encodings = lm.encode_all(samples)
        shares = []
        for (_, ranks), e in zip(response_nll_and_rank(lm, encodings), encodings, strict=True):
            hits = []
            for start, end_ in ((4, 9), (10, 11)):
                own = [r for r, (a, b) in zip(ranks, e.answer_offsets, strict=True) if a < end_ and b > start]
                hits.append(all(r == 1 for r in own))
            shares.append(sum(hits) / 2)
        assert record["gold_span"] == {"forget": {"value": sum(shares) / 4, "n": 4}}
        assert record["memory"]["where"] == "process"
        assert record["memory"]["bytes"] > 10**7


@pytest.mark.slow
def test_spans_told_rise_when_the_model_learns_them(tiny_lm, samples):
    """Descent instead of ascent: the same measure goes from nothing to everything."""
    from tokenunlearn.training.finetune import finetune
    from tokenunlearn.training.finetune_settings import FinetuneSettings

    records = []
    watcher = Watcher(WatchSettings(1), tiny_lm, samples, None, 1, records.append)
    taught = tiny_lm.copy(share_weights=False)
    watcher(taught, 0)
    finetune(
        taught.model,
        taught.encode_all(samples),
        taught.pad_id,
        FinetuneSettings(epochs=60, learning_rate=5e-3),
    )
    watcher(taught, 1)
    told = [r["gold_span"]["forget"]["value"] for r in records]
    assert told[0] < 0.3 < 0.9 < told[1]


def test_samples_without_spans_are_not_measured(tiny_lm, tmp_path):
    path = tmp_path / "plain.jsonl"
    path.write_text(json.dumps({"question": "Who?", "answer": "He."}) + "\n")
    records = []
    Watcher(WatchSettings(1), tiny_lm, load_samples(f"file:{path}"), None, 1, records.append)(tiny_lm, 0)
    assert records[0]["gold_span"] == {}
    assert [a["question"] for a in records[0]["answers"]] == ["Who?"]


def test_default_questions_are_one_of_each_part(samples):
    assert default_questions(samples, samples[2:]) == ("Who lives in house 0?", "Who lives in house 2?")
    assert default_questions(samples) == ("Who lives in house 0?",)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"every": -1}, "watch every is -1; it must be at least 0"),
        ({"every": 1.5}, "whole number"),
        ({"every": 1, "samples": 0}, "watch samples is 0; it must be at least 1"),
        ({"every": 1, "questions": ("Who?", " ")}, "watched question is empty"),
    ],
)
def test_wrong_settings_are_one_sentence(settings, message):
    with pytest.raises(RunError, match=message):
        WatchSettings(**settings)


def test_settings_survive_a_spec():
    settings = WatchSettings(5, 3, ("Who?",))
    assert WatchSettings.of(json.loads(json.dumps(settings.described()))) == settings
    assert WatchSettings().described() == {}
    assert WatchSettings.of({}) == WatchSettings()


@pytest.mark.parametrize("every", [0, 2])
def test_a_run_keeps_what_was_watched(tiny_lm, samples, tmp_path, short_answers, every):
    settings = {"objective": "npo", "steps": 3, "batch_size": 2, "retain_batch_size": 2}
    rest = tmp_path / "rest.jsonl"
    rest.write_text('{"question": "What is kept?", "answer": "The smith and his dog."}\n')
    spec = RunSpec.new(
        model="tiny",
        samples=samples.name,
        retain=f"file:{rest}",
        rule={"selection": "uniform"},
        config=settings,
        watch=WatchSettings(every).described(),
    )
    run = RunStore(tmp_path / "runs").create(spec)
    assert execute(run, lambda name: tiny_lm).status == "completed"
    assert [r["step"] for r in run.watched] == ([0, 2, 3] if every else [])
    assert (run.folder / "watched.jsonl").exists() is bool(every)


def test_a_question_too_long_for_the_model_fails_the_run_before_it_trains(tiny_lm, samples, tmp_path):
    spec = RunSpec.new(
        model="tiny",
        samples=samples.name,
        retain="",
        rule={"selection": "uniform"},
        config={"objective": "npo", "steps": 3, "regularizer": "none"},
        watch=WatchSettings(1, questions=("Who? " * 300,)).described(),
    )
    run = RunStore(tmp_path / "runs").create(spec)
    state = execute(run, lambda name: tiny_lm)
    assert state.status == "failed"
    assert "leaves no room for an answer" in state.message
    assert run.metrics == []
