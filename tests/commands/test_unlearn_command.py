"""``tokenunlearn unlearn``: what a run keeps, what is refused, interruptions, runs that go on from others."""

from __future__ import annotations

import json
import signal
import threading
from pathlib import Path

import pytest

from tests.commands.small_cli import QUICK, ROWS, subprocess_of, unlearning
from tests.waiting import wait_until
from tokenunlearn.attribution.score_set import ScoreSet
from tokenunlearn.models.loading import load_model
from tokenunlearn.runs.locks import acquire, device_lock, release
from tokenunlearn.runs.store import RunStore


def test_unlearn_keeps_everything_in_the_run_s_folder(unlearned):
    run = RunStore(unlearned.parent).get(unlearned.name)
    assert run.state.status == "completed"
    assert [record["step"] for record in run.metrics] == [1, 2]
    assert run.adapter is not None
    assert run.scores is not None
    assert run.spec.rule == {"selection": "hard", "threshold": 0.3}
    assert {row["question"] for row in run.generations["forget"]} == {row["question"] for row in ROWS}


@pytest.mark.slow
def test_unlearn_takes_the_score_set_that_score_made(call, model, samples, tmp_path):
    path = tmp_path / "scores.parquet"
    assert call("score", "--model", model, "--samples", samples, "--out", path).code == 0
    words = ("unlearn", "--model", model, "--samples", samples, "--scores", path, "--regularizer", "none")
    done = call(*words, "--selection", "soft", *QUICK, "--out", tmp_path / "runs")
    assert done.code == 0, done.err
    assert done.out.startswith("completed ")
    assert "forget_loss" in done.out
    (run,) = RunStore(tmp_path / "runs").runs()
    assert run.spec.score_hash == run.scores.hash == ScoreSet.load(path).hash


@pytest.mark.slow
def test_a_run_that_diverges_exits_with_1_and_keeps_its_last_good_weights(call, model, samples, tmp_path):
    words = (*unlearning(model, samples), "--selection", "uniform")
    words += ("--train", "full", "--learning-rate", "1e20", "--steps", "20", "--batch-size", "4")
    failed = call(*words, "--out", tmp_path / "runs", "--json")
    assert failed.code == 1
    assert failed.json["status"] == "failed"
    assert failed.json["run"] in call("runs", "list", "--out-folder", tmp_path / "runs").out
    assert "NaN or infinite" in failed.json["message"]
    assert (Path(failed.json["folder"]) / "adapter" / "model.safetensors").exists()


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--objective", "wish"], 'no objective "wish"'),
        (["--regularizer", "l2"], 'no regularizer "l2"'),
        (["--selection", "medium"], 'no selection "medium"; use one of hard, soft, uniform'),
        (["--selection", "soft", "--threshold", "0.5"], 'selection "soft" does not take --threshold'),
        (["--threshold", "1.5"], "threshold is 1.5; it must be between 0 and 1"),
        (["--threshold", "0.5", "--top-share", "0.5"], "takes only one of threshold, quantile and top_share"),
        (["--selection", "soft", "--temperature", "0"], "temperature is 0.0; it must be above 0"),
        (["--steps", "0"], "steps is 0; it must be at least 1"),
        (["--objective", "gradient_ascent", "--beta", "1"], 'no parameter "beta"'),
        (["--retain", ""], 'regularizer "kl" needs --retain'),
        (["--scores", "/no/such/scores.parquet"], "/no/such/scores.parquet"),
    ],
)
def test_unlearn_refuses_what_cannot_run(call, model, samples, tmp_path, words, sentence):
    base = [*unlearning(model, samples)]
    refused = call(*base, "--out", tmp_path / "runs", *words)
    assert refused.code == 2
    assert sentence in refused.sentence
    assert not (tmp_path / "runs").exists()


def test_where_the_steps_decide_how_far_it_goes_it_says_so(call, model, samples, tmp_path):
    words = (*unlearning(model, samples), *QUICK)
    done = call(*words, "--out", tmp_path / "runs")
    assert "Warning: No samples are known that are asked like these" in done.err
    unseen = tmp_path / "unseen.jsonl"
    unseen.write_text('{"question": "Who lives in house 9?", "answer": "Nobody does."}\n')
    for holdout in ("none", f"file:{unseen}"):
        done = call(*words, "--holdout", holdout, "--out", tmp_path / "runs")
        assert done.code == 0 and "No samples are known" not in done.err


def test_a_threshold_that_selects_nothing_is_refused(call, model, samples, tmp_path):
    path = tmp_path / "scores.parquet"
    assert call("score", "--model", model, "--samples", samples, "--out", path).code == 0
    words = (*unlearning(model, samples), "--threshold", "1")
    refused = call(*words, "--scores", path, "--out", tmp_path / "runs")
    assert refused.code == 2
    assert "No token is selected" in refused.sentence
    assert not (tmp_path / "runs").exists()
    late = call(
        *words, "--out", tmp_path / "runs"
    )  # what only scoring shows ends a run, with the same sentence
    assert late.code == 1
    assert "No token is selected" in late.out


def test_scores_of_another_model_are_refused(call, model, samples, family_lm, tmp_path):
    other = family_lm("gpt2")
    other.model.save_pretrained(tmp_path / "other")
    other.tokenizer.save_pretrained(tmp_path / "other")
    path = tmp_path / "scores.parquet"
    assert call("score", "--model", tmp_path / "other", "--samples", samples, "--out", path).code == 0
    words = (*unlearning(model, samples), "--scores", path)
    refused = call(*words, "--out", tmp_path / "runs")
    assert refused.code == 2
    assert "score the samples with it first" in refused.sentence
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize("change", ["reordered", "prompted"])
def test_scores_of_samples_or_a_prompt_that_have_changed_since_are_refused(call, model, tmp_path, change):
    rows = [{"question": f"Who lives in house {i}?", "answer": f"The {a}."} for i, a in enumerate("ab")]
    path, data = tmp_path / "scores.parquet", tmp_path / "my.jsonl"
    words = ("--model", model, "--samples", f"file:{data}")
    data.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert call("score", *words, "--out", path).code == 0
    if change == "reordered":
        rows.reverse()
    else:
        rows = [row | {"system": "Be short."} for row in rows]
    data.write_text("".join(json.dumps(row) + "\n" for row in rows))
    words += ("--scores", path, "--regularizer", "none", *QUICK, "--out", tmp_path / "runs")
    refused = call("unlearn", *words)
    assert refused.code == 2
    assert "have changed since they were scored (2 of 2 differ" in refused.sentence
    assert not (tmp_path / "runs").exists()


@pytest.mark.slow
def test_long_samples_are_cut_when_asked(call, model, tmp_path):
    path = tmp_path / "long.jsonl"
    rows = [{"question": "Who?", "answer": "One of many. " * 200}, ROWS[0]]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    words = ("--model", model, "--samples", f"file:{path}")
    done = call("score", *words, "--out", tmp_path / "s.parquet", "--long", "skip", "--json")
    assert (done.code, done.json["samples"]) == (0, 1)
    cut = ("--regularizer", "none", "--selection", "uniform", "--long", "truncate", *QUICK)
    done = call("unlearn", *words, *cut, "--out", tmp_path / "runs", "--json")
    assert done.code == 0, done.err
    (run,) = RunStore(tmp_path / "runs").runs()
    assert run.spec.config["long"] == "truncate" and len(run.token_changes) == 2
    refused = call("score", *words, "--out", tmp_path / "s.parquet", "--long", "cut")
    assert refused.code == 2 and 'long is "cut"' in refused.sentence


@pytest.mark.slow
def test_every_assistant_turn_is_a_sample_on_request(call, model, tmp_path):
    turns = ("user", "Who are you?"), ("assistant", "I am Bo."), ("user", "Where?"), ("assistant", "In Rill.")
    row = {"messages": [{"role": role, "content": text} for role, text in turns]}
    (tmp_path / "chat.jsonl").write_text(json.dumps(row) + "\n")
    words = ("--model", model, "--samples", f"file:{tmp_path / 'chat.jsonl'}", "--json")
    for more, count in (((), 1), (("--all-turns",), 2)):
        scored = call("score", *words, *more, "--out", tmp_path / "scores.parquet")
        assert json.loads(scored.out)["samples"] == count
    refused = call("score", "--samples", "authors:forget10", "--all-turns")
    assert refused.sentence == "Error: --all-turns is only for your own files and datasets on the Hub."


@pytest.mark.slow
def test_columns_are_mapped_and_held_by_the_run(call, model, tmp_path):
    path = tmp_path / "own.jsonl"
    rows = [{"frage": row["question"], "antwort": row["answer"]} for row in ROWS]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    words = ("--model", model, "--samples", f"file:{path}", "--columns", "question=frage, answer=antwort")
    done = call("score", *words, "--out", tmp_path / "s.parquet", "--json")
    assert (done.code, done.json["samples"]) == (0, 4)
    mapped = f"file:{path}?question=frage&answer=antwort"
    assert ScoreSet.load(tmp_path / "s.parquet").source == mapped
    retain = ("--retain", f"file:{path}?question=antwort&answer=frage")
    done = call("unlearn", *words, *retain, "--selection", "uniform", *QUICK, "--out", tmp_path / "runs")
    assert done.code == 0, done.err
    (run,) = RunStore(tmp_path / "runs").runs()
    assert (run.spec.samples, run.spec.retain) == (mapped, retain[1])


@pytest.mark.slow
def test_ctrl_c_cancels_after_the_step_and_keeps_what_was_done(model, samples, tmp_path):
    words = [*unlearning(model, samples), *QUICK]
    words += ["--steps", 9000, "--selection", "uniform", "--out", tmp_path / "runs", "--json"]
    process = subprocess_of(*words)
    store = RunStore(tmp_path / "runs")
    try:
        wait_until(lambda: any(len(run.metrics) > 2 for run in store.runs()))
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 0, err
    assert "Traceback" not in err
    (run,) = store.runs()
    assert run.state.status == json.loads(out)["status"] == "stopped"
    assert run.state.message.startswith(f"Stopped after {len(run.metrics)} of 9000 steps; the weights")
    assert run.adapter is not None


@pytest.mark.slow
def test_a_run_waits_for_the_device_and_says_for_whom(call, model, samples, tmp_path):
    words = [*unlearning(model, samples), *QUICK]
    (tmp_path / "runs").mkdir()
    lock = device_lock(tmp_path / "runs", "cpu")
    assert acquire(lock, note="20260101-100000-npo-hard-0001")
    store = RunStore(tmp_path / "runs")

    def give_way():
        wait_until(lambda: any(run.state.phase == "waiting" for run in store.runs()))
        release(lock)

    thread = threading.Thread(target=give_way)
    thread.start()
    called = call(*words, "--selection", "uniform", "--out", tmp_path / "runs")
    thread.join()
    assert called.code == 0 and "completed" in called.out
    said = " ".join(called.err.split())
    assert said.count("Waiting for the run 20260101-100000-npo-hard-0001, which uses cpu.") == 1


def test_a_run_goes_on_from_another_with_the_model_that_it_left(call, model, unlearned, continued):
    first, second = (RunStore(folder.parent).get(folder.name) for folder in (unlearned, continued))
    assert second.spec.adapter == first.id
    assert second.spec.model == model
    assert second.start.load().revision == first.result.load().revision
    assert second.scores.revision == first.start.load().revision != second.start.load().revision
    assert first.scores.revision == load_model(model).revision
    before, after = second.token_changes[0], first.token_changes[0]
    assert before.nll_before == pytest.approx(after.nll_after, abs=1e-4)


def test_the_reading_of_a_run_s_own_scores(call, model, samples, tmp_path):
    words = ("unlearn", "--model", model, "--samples", samples, "--regularizer", "none", *QUICK)
    done = call(*words, "--reading", "tail", "--out", tmp_path / "runs", "--json")
    run = RunStore(tmp_path / "runs").get(done.json["run"])
    assert (run.scores.reading, run.spec.scoring["reading"]) == ("tail", "tail")
    assert "reading" in call(*words, "--reading", "blunt", "--out", tmp_path / "runs").sentence
