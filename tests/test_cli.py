"""The command line, as a person calls it: results, JSON, one sentence for bad input, exit codes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tests.hub import Hub
from tests.launch import ROOT, imported_by
from tests.waiting import wait_until
from tokenunlearn.attribution.score_set import ScoreSet
from tokenunlearn.models.loading import load_model
from tokenunlearn.runs.fit import fit
from tokenunlearn.runs.locks import acquire, device_lock, release
from tokenunlearn.runs.runner import execute
from tokenunlearn.runs.spec import RunSpec
from tokenunlearn.runs.store import RunStore

pytestmark = pytest.mark.usefixtures("short_answers")
ROWS = [
    {"question": f"Who lives in house {i}?", "answer": f"The baker number {i} does.", "span": [[4, 18]]}
    for i in range(4)
]
QUICK = ("--steps", "2", "--batch-size", "2", "--retain-batch-size", "2")


@pytest.fixture(scope="module")
def model(tiny_folder):
    return str(tiny_folder)


@pytest.fixture
def samples(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    return f"file:{path}"


def retained(samples):
    """Other samples, in a file next to those to forget."""
    path = Path(samples.removeprefix("file:")).with_name("retained.jsonl")
    path.write_text("".join(json.dumps(row | {"answer": "It is empty.", "span": []}) + "\n" for row in ROWS))
    return f"file:{path}"


@pytest.fixture
def unlearned(call, model, samples, tmp_path):
    """A completed run; its folder."""
    words = (
        "unlearn",
        "--model",
        model,
        "--samples",
        samples,
        "--retain",
        retained(samples),
        "--threshold",
        "0.3",
    )
    done = call(*words, *QUICK, "--out", tmp_path / "runs", "--json")
    assert done.code == 0, done.err
    return Path(done.json["folder"])


def test_help_and_bare_call_list_the_commands(call):
    for words in ((), ("--help",)):
        shown = call(*words)
        assert all(name in shown.out + shown.err for name in ("score", "unlearn", "evaluate", "runs"))
    assert call("--help").code == 0
    assert call("no-such-command").code == 2


@pytest.mark.slow
def test_help_never_loads_torch():
    modules = imported_by("tokenunlearn", "unlearn", "--help")
    assert "typer" in modules and "torch" not in modules


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
def test_evaluate_prints_a_table_or_the_report(call, model, tmp_path, monkeypatch, unlearned):
    words = ("evaluate", "--model", model, "--adapter", unlearned / "adapter", "--limit", "2")
    shown = call(*words)
    assert shown.code == 0, shown.err
    assert "gold_span" in shown.out and "95 % CI" in shown.out
    printed = call(*words, "--json", "-").json
    assert printed["metrics"]["forget/gold_span"]["n"] >= 2
    assert call(*words, "--json", tmp_path / "report.json").code == 0
    kept = json.loads((tmp_path / "report.json").read_text())
    assert kept["metrics"] == printed["metrics"]
    assert kept["revision"] != load_model(model).revision


def test_runs_are_listed_shown_and_deleted(call, unlearned):
    out = ("--out-folder", unlearned.parent)
    name = unlearned.name
    listed = call("runs", "list", *out)
    assert listed.code == 0
    assert name in listed.out, "an id that is cut cannot be copied"
    assert [row["run"] for row in call("runs", "list", *out, "--json").json] == [name]
    shown = call("runs", "show", name[:16], *out, "--json").json
    assert shown["spec"]["id"] == name
    assert shown["state"]["status"] == "completed"
    assert shown["last_step"]["step"] == 2
    assert "completed" in call("runs", "show", name, *out).out
    refused = call("runs", "cancel", name, *out)
    assert refused.code == 2
    assert "is completed; only queued and running runs can be cancelled" in refused.sentence
    assert call("runs", "delete", name, *out).code == 0
    assert not unlearned.exists()
    assert call("runs", "list", *out, "--json").json == []
    assert "There is no run" in call("runs", "show", name, *out).sentence


@pytest.mark.slow
def test_a_run_that_diverges_exits_with_1_and_keeps_its_last_good_weights(call, model, samples, tmp_path):
    words = (
        "unlearn",
        "--model",
        model,
        "--samples",
        samples,
        "--retain",
        retained(samples),
        "--selection",
        "uniform",
    )
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
        (["--model", "./nowhere"], 'There is no model folder "./nowhere"'),
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
    base = ["unlearn", "--model", model, "--samples", samples, "--retain", retained(samples)]
    refused = call(*base, "--out", tmp_path / "runs", *words)
    assert refused.code == 2
    assert sentence in refused.sentence
    assert not (tmp_path / "runs").exists()


def test_a_threshold_that_selects_nothing_is_refused(call, model, samples, tmp_path):
    path = tmp_path / "scores.parquet"
    assert call("score", "--model", model, "--samples", samples, "--out", path).code == 0
    words = [
        "unlearn",
        "--model",
        model,
        "--samples",
        samples,
        "--retain",
        retained(samples),
        "--threshold",
        "1",
    ]
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
    words = [
        "unlearn",
        "--model",
        model,
        "--samples",
        samples,
        "--retain",
        retained(samples),
        "--scores",
        path,
    ]
    refused = call(*words, "--out", tmp_path / "runs")
    assert refused.code == 2
    assert "score the samples with it first" in refused.sentence
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--model", "./nowhere"], 'There is no model folder "./nowhere"'),
        (["--suite", "exam"], 'no suite "exam"; use one of authors'),
        (["--limit", "1"], "limit is 1; at least 2 rows"),
        (["--adapter", "/no/adapter"], 'no run or adapter folder "/no/adapter"'),
        (["--forget", "forget99"], "forget99"),
        (["--retrained", "./nowhere"], "./nowhere"),
        (["--reference", "./nowhere"], "./nowhere"),  # its old name
    ],
)
def test_evaluate_refuses_what_cannot_be_measured(call, model, words, sentence):
    refused = call("evaluate", "--model", model, *words)
    assert refused.code == 2
    assert sentence in refused.sentence


def test_a_sample_longer_than_the_context_is_named(call, model, tmp_path):
    path = tmp_path / "long.jsonl"
    path.write_text(json.dumps({"id": "endless", "question": "Who?", "answer": "One of many. " * 200}) + "\n")
    refused = call("score", "--model", model, "--samples", f"file:{path}", "--out", tmp_path / "s.parquet")
    assert refused.code == 2
    assert "endless" in refused.sentence and "256" in refused.sentence
    assert not (tmp_path / "s.parquet").exists()


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


@pytest.mark.parametrize("markup", ["[red]alarm[/red]", "[/]", "[link=x]y"])
def test_markup_in_names_shows_as_text(call, markup, samples, model, tmp_path):
    assert markup in call("score", "--model", f"./{markup}/x/y", "--samples", samples).sentence
    words = ["unlearn", "--model", model, "--samples", samples, "--regularizer", "none", *QUICK]
    done = call(*words, "--selection", "uniform", "--label", markup, "--out", tmp_path / "runs", "--json")
    shown = call("runs", "show", done.json["run"], "--out-folder", tmp_path / "runs")
    assert shown.code == 0
    assert markup in shown.out


def subprocess_of(*words, **environment):
    return subprocess.Popen(
        [sys.executable, "-m", "tokenunlearn", *map(str, words)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"} | environment,
    )


@pytest.mark.slow
def test_ctrl_c_cancels_after_the_step_and_keeps_what_was_done(model, samples, tmp_path):
    words = ["unlearn", "--model", model, "--samples", samples, "--retain", retained(samples), *QUICK]
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
    words = ["unlearn", "--model", model, "--samples", samples, "--retain", retained(samples), *QUICK]
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


@pytest.mark.slow
def test_runs_cancel_stops_a_run_of_another_thread(call, model, samples, tmp_path):
    config = {"objective": "npo", "steps": 9000, "batch_size": 2, "retain_batch_size": 2}
    rest = tmp_path / "rest.jsonl"
    rest.write_text('{"question": "What is kept?", "answer": "The smith and his dog."}\n')
    spec = RunSpec.new(
        model=model, samples=samples, retain=f"file:{rest}", rule={"selection": "uniform"}, config=config
    )
    run = RunStore(tmp_path / "runs").create(spec)
    out = ("--out-folder", tmp_path / "runs")
    thread = threading.Thread(target=execute, args=(run,))
    thread.start()
    try:
        wait_until(lambda: len(run.metrics) > 2)
        refused = call("runs", "delete", run.id, *out)
        assert refused.code == 2
        assert "cancel it first" in refused.sentence
        asked = call("runs", "cancel", run.id, *out)
        assert (asked.code, asked.out.strip()) == (0, f"{run.id} stops after its current step or batch")
    finally:
        (run.folder / "cancel").touch()
        thread.join(timeout=60)
    assert run.state.status == "stopped"
    assert run.adapter is not None


@pytest.mark.slow
def test_module_and_exit_code_of_a_process(tmp_path):
    process = subprocess_of("runs", "show", "nothing", "--out-folder", tmp_path)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 2
    assert out == ""
    assert err.splitlines()[-1].startswith("Error: There is no run")


@pytest.fixture
def continued(call, unlearned, samples):
    """A run that goes on from ``unlearned``; its folder."""
    words = ("unlearn", "--adapter", unlearned.name, "--samples", samples, "--regularizer", "none")
    done = call(*words, *QUICK, "--threshold", "0.3", "--out", unlearned.parent, "--json")
    assert done.code == 0, done.err
    return Path(done.json["folder"])


def test_a_run_goes_on_from_another_with_the_model_that_it_left(call, model, unlearned, continued):
    first, second = (RunStore(folder.parent).get(folder.name) for folder in (unlearned, continued))
    assert second.spec.adapter == first.id
    assert second.spec.model == model
    assert second.scores.revision == second.start.load().revision == first.result.load().revision
    assert first.scores.revision == load_model(model).revision
    before, after = second.token_changes[0], first.token_changes[0]
    assert before.nll_before == pytest.approx(after.nll_after, abs=1e-4)


@pytest.mark.slow
def test_evaluate_loads_the_whole_chain(call, unlearned, continued):
    printed = call("evaluate", "--adapter", continued, "--limit", "2", "--json", "-").json
    run = RunStore(continued.parent).get(continued.name)
    assert printed["revision"] == run.result.load().revision
    assert printed["revision"] != run.start.load().revision


def test_runs_tree_shows_the_requests_behind_each_model(call, model, unlearned, continued):
    plain = call("runs", "tree", "--out", unlearned.parent, "--json").json
    assert [tree["start"] for tree in plain] == [model]
    (first,) = plain[0]["runs"]
    (second,) = first["later"]
    assert [first["run"], second["run"]] == [unlearned.name, continued.name]
    assert [request["run"] for request in second["requests"]] == [unlearned.name, continued.name]
    shown = call("runs", "tree", "--out", unlearned.parent).out
    assert shown.index(unlearned.name) < shown.index(f"└── {continued.name}")
    assert shown.count("95 % CI") == 3
    assert "requests" in call("runs", "show", continued.name, "--out", unlearned.parent).out


def test_runs_export_writes_a_model_that_is_the_run_s(call, unlearned, continued, tmp_path):
    words = ("runs", "export", continued.name, tmp_path / "model", "--out", unlearned.parent)
    refused = call(*words)
    assert refused.code == 2
    assert "trained all weights" in refused.sentence
    assert call(*words, "--merge").code == 0
    assert load_model(str(tmp_path / "model")).revision
    assert "is not an empty folder" in call(*words, "--merge").sentence


def test_runs_push_uploads_to_a_private_repository_with_the_token_of_the_login(call, unlearned, monkeypatch):
    hub = Hub()
    monkeypatch.setattr("huggingface_hub.HfApi", hub.client)
    monkeypatch.setattr("huggingface_hub.get_token", lambda: None)
    words = ("runs", "push", unlearned.name, "ada/forgotten", "--merge", "--out", unlearned.parent)
    assert "hf auth login" in call(*words).sentence
    assert hub.uploads == {}
    monkeypatch.setattr("huggingface_hub.get_token", lambda: "hf_secret")
    done = call(*words)
    assert (done.code, hub.token, hub.private) == (0, "hf_secret", True)
    assert "Uploaded to https://huggingface.co/ada/forgotten/commit/1" in done.out
    assert "hf_secret" not in done.out + done.err
    assert {"README.md", "config.json", "model.safetensors"} <= hub.uploads["ada/forgotten"].keys()


def test_the_reading_of_a_run_s_own_scores(call, model, samples, tmp_path):
    words = ("unlearn", "--model", model, "--samples", samples, "--regularizer", "none", *QUICK)
    done = call(*words, "--reading", "tail", "--out", tmp_path / "runs", "--json")
    run = RunStore(tmp_path / "runs").get(done.json["run"])
    assert (run.scores.reading, run.spec.scoring["reading"]) == ("tail", "tail")
    assert "reading" in call(*words, "--reading", "blunt", "--out", tmp_path / "runs").sentence
