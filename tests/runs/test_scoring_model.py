"""Which model scores the forget set of a run that goes on from others."""

import json
from dataclasses import replace

import pytest

import tokenunlearn as tu
from tests.runs.new_runs import ROWS, new_spec
from tokenunlearn.errors import ScoreSetError
from tokenunlearn.models.source import ModelSource
from tokenunlearn.runs.runner import execute
from tokenunlearn.runs.scoring_model import before_runs, check_scores, scored_after_runs


@pytest.fixture
def samples(tmp_path):
    for name in ("rows", "rest"):
        rows = [row | {"answer": f"{row['answer']} {name}"} for row in ROWS]
        (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return f"file:{tmp_path / 'rows.jsonl'}"


@pytest.fixture
def unlearned(tiny_lm):
    return replace(tiny_lm, revision="unlearned")


def test_what_runs_changed_is_left_out_and_an_adapter_of_ones_own_stays(store, samples):
    run = store.create(new_spec(samples))
    own = ModelSource("tiny", ("tuned/adapter",), {"enable_thinking": True}, "4bit")
    assert before_runs(own.adapted(run.folder / "adapter")) == own
    assert before_runs(ModelSource("tiny")) == ModelSource("tiny")
    assert scored_after_runs(own) is None
    assert "score the model before its runs" in scored_after_runs(run.result).sentence


@pytest.mark.slow
def test_a_run_that_goes_on_has_the_scores_of_the_model_before_all_runs(store, samples, tiny_lm, unlearned):
    asked = []

    def load(source):
        asked.append(len(source.adapters))
        return unlearned if source.adapters else tiny_lm

    adapter = ""
    for _ in range(3):
        run = store.create(new_spec(samples, adapter=adapter, config={"steps": 1}))
        assert execute(run, load).status == "completed", run.state.message
        assert run.scores.revision == tiny_lm.revision
        adapter = run.id
    assert asked == [0, 1, 0, 2, 0]


@pytest.mark.slow
def test_scores_of_the_start_model_or_of_the_model_before_its_runs_are_taken_and_no_others(
    store, samples, tiny_lm, unlearned
):
    first, scores = store.create(new_spec(samples)), tu.score(tiny_lm, tu.load_samples(samples))

    def check(scores):
        check_scores(scores, tu.load_samples(samples), first.result, unlearned, lambda source: tiny_lm)

    check(scores)
    check(replace(scores, revision="unlearned"))
    with pytest.raises(ScoreSetError, match="scores were computed with"):
        check(replace(scores, revision="another"))
