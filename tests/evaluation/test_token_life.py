"""What a model predicts at each token: the model's own probabilities, and a trace of them while it trains."""

from __future__ import annotations

import json

import pytest
import torch

from tests.evaluation.test_watch import ROWS, config
from tokenunlearn.datasets import load_samples
from tokenunlearn.evaluation.token_life import ALTERNATIVES, predictions
from tokenunlearn.evaluation.watch import Watcher, WatchSettings
from tokenunlearn.runs.runner import execute
from tokenunlearn.runs.spec import RunSpec
from tokenunlearn.runs.store import RunStore
from tokenunlearn.training.unlearn import unlearn


@pytest.fixture
def samples(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    return load_samples(f"file:{path}")


@torch.no_grad()
def test_probability_rank_and_alternatives_are_those_of_the_model(tiny_lm, samples):
    encodings = tiny_lm.encode_all(samples)
    for encoding, predicted in zip(encodings, predictions(tiny_lm, encodings), strict=True):
        logits = tiny_lm.model(input_ids=torch.tensor([encoding.input_ids[: len(encoding)]])).logits[0]
        shares = logits[encoding.prompt_length - 1 : -1].softmax(-1)
        assert len(predicted) == encoding.response_length
        for row, token, here in zip(shares, encoding.response_ids, predicted, strict=True):
            assert here["probability"] == pytest.approx(float(row[token]), rel=1e-3)
            assert here["rank"] == 1 + int((row > row[token]).sum())
            top = row.topk(ALTERNATIVES)
            assert [a["text"] for a in here["alternatives"]] == [
                tiny_lm.tokenizer.decode([int(i)]) for i in top.indices
            ]
            assert [a["probability"] for a in here["alternatives"]] == pytest.approx(
                top.values.tolist(), rel=1e-3
            )


def test_a_watched_run_traces_its_forget_samples_from_the_start_model_to_the_end(tiny_lm, samples):
    records = []
    settings = WatchSettings(2, samples=2)
    watcher = Watcher(settings, tiny_lm, samples, None, 5, [].append, records.append)
    end = unlearn(tiny_lm, samples, config=config(), on_weights=watcher).model
    assert [record["step"] for record in records] == [0, 2, 4, 5]
    watched = [sample for sample in samples if sample.id in records[0]["samples"]]
    assert len(watched) == 2
    for lm, record in ((tiny_lm, records[0]), (end, records[-1])):
        expected = predictions(lm, lm.encode_all(watched))
        assert record["samples"] == {s.id: p for s, p in zip(watched, expected, strict=True)}


@pytest.mark.slow
def test_they_are_stored_with_the_run(tiny_folder, samples, tmp_path, short_answers):
    settings = {"steps": 2, "batch_size": 2, "regularizer": "none"}
    spec = RunSpec.new(
        model=str(tiny_folder),
        samples=samples.name,
        retain="",
        rule={"selection": "uniform"},
        config=settings,
        watch=WatchSettings(1).described(),
    )
    run = RunStore(tmp_path / "runs").create(spec)
    assert execute(run).status == "completed"
    assert [record["step"] for record in run.predictions] == [0, 1, 2]
    assert run.damage == []
