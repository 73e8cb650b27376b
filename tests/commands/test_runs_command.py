"""``tokenunlearn runs``: list, tree, cancel, export and push."""

from __future__ import annotations

import threading

import pytest

from tests.commands.small_cli import QUICK
from tests.hub import Hub
from tests.waiting import wait_until
from tokenunlearn.models.loading import load_model
from tokenunlearn.runs.runner import execute
from tokenunlearn.runs.spec import RunSpec
from tokenunlearn.runs.store import RunStore


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


@pytest.mark.parametrize("markup", ["[red]alarm[/red]", "[/]", "[link=x]y"])
def test_markup_in_names_shows_as_text(call, markup, samples, model, tmp_path):
    assert markup in call("score", "--model", f"./{markup}/x/y", "--samples", samples).sentence
    words = ["unlearn", "--model", model, "--samples", samples, "--regularizer", "none", *QUICK]
    done = call(*words, "--selection", "uniform", "--label", markup, "--out", tmp_path / "runs", "--json")
    shown = call("runs", "show", done.json["run"], "--out-folder", tmp_path / "runs")
    assert shown.code == 0
    assert markup in shown.out
