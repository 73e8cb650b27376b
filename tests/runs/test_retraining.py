"""The retrained model of own data: what it is trained on, what is stored, and which run it goes with."""

from __future__ import annotations

import json
from dataclasses import asdict, replace

import pytest
import torch

import tokenunlearn as tu
from tokenunlearn.datasets.files import samples_hash
from tokenunlearn.datasets.samples import SampleSet
from tokenunlearn.errors import ModelNotFoundError, TokenUnlearnError
from tokenunlearn.models.forward import response_nll
from tokenunlearn.models.loading import load_model
from tokenunlearn.models.recipe import Recipe
from tokenunlearn.runs.retraining import retrained_for, twin_folder
from tokenunlearn.runs.spec import RunSpec
from tokenunlearn.runs.store import RunStore
from tokenunlearn.training.finetune_settings import RetrainSettings

QUICK = {"steps": 12, "batch_size": 4, "learning_rate": 5e-3}


@pytest.fixture(scope="module")
def base(tiny_lm, tmp_path_factory):
    folder = tmp_path_factory.mktemp("base")
    tiny_lm.model.save_pretrained(folder)
    tiny_lm.tokenizer.save_pretrained(folder)
    return str(folder)


@pytest.fixture
def sets(tmp_path):
    """Names of retained samples and of a forget set."""
    names = []
    for name, job in (("retain", "baker"), ("forget", "spy")):
        rows = [{"question": f"Who is {name} {i}?", "answer": f"The {job} {i} of Graz."} for i in range(3)]
        path = tmp_path / f"{name}.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        names.append(f"file:{path}")
    return names


def mean_nll(lm, samples):
    return torch.cat(response_nll(lm, lm.encode_all(tu.load_samples(samples)))).mean().item()


@pytest.mark.slow
def test_the_twins_differ_in_the_forget_set_alone(base, sets, tmp_path):
    retain, forget = sets
    phases = {}
    heard = lambda phase, done, total: phases.update({phase: (done, total)})  # noqa: E731
    twin = tu.retrain(base, retain, tmp_path / "twin", forget=forget, progress=heard, **QUICK)
    both = tu.retrain(base, retain, tmp_path / "both", forget=forget, with_forget=True, **QUICK)
    assert phases == {"loading": (1, 1), "training": (12, 12)}
    assert twin.settings == both.settings == asdict(RetrainSettings(**QUICK, train="full"))
    assert [twin.samples[part]["trained"] for part in ("retain", "forget")] == [True, False]
    assert both.trained_on("forget", samples_hash(tu.load_samples(forget)))
    assert Recipe.load(tmp_path / "twin") == twin
    assert twin.revision == load_model(base).revision
    models = {name: load_model(str(tmp_path / name)) for name in ("twin", "both")}
    start = load_model(base)
    assert all(mean_nll(lm, retain) < mean_nll(start, retain) - 0.5 for lm in models.values())
    assert mean_nll(models["both"], forget) < mean_nll(models["twin"], forget) - 0.3


@pytest.mark.slow
def test_the_same_recipe_gives_the_same_weights(base, sets, tmp_path):
    for number, name in enumerate(("one", "two")):
        torch.manual_seed(number)
        tu.retrain(base, sets[0], tmp_path / name, train="lora", seed=4, **QUICK)
    one, two = (load_model(str(tmp_path / name)).model.state_dict() for name in ("one", "two"))
    assert all(torch.equal(one[name], two[name]) for name in one)


@pytest.mark.slow
def test_an_adapter_is_merged_into_a_whole_model(base, sets, tmp_path):
    tu.retrain(base, sets[0], tmp_path / "twin", train="lora", **QUICK)
    files = {path.name for path in (tmp_path / "twin").iterdir()}
    assert {"config.json", "model.safetensors", "recipe.json", "tokenizer.json"} <= files
    assert "adapter_config.json" not in files
    assert mean_nll(load_model(str(tmp_path / "twin")), sets[0]) < mean_nll(load_model(base), sets[0])


def test_retained_samples_that_are_to_be_forgotten_are_refused(base, sets, tmp_path):
    shared = "3 of 3 retained samples are in the forget set too: retain-0000"
    retained = tu.load_samples(sets[0])
    loud = SampleSet("loud", tuple(replace(s, answer=f" {s.answer.upper()}") for s in retained))
    for forget in (retained, loud):
        with pytest.raises(TokenUnlearnError, match=shared):
            tu.retrain(base, retained, tmp_path / "twin", forget=forget, **QUICK)
    assert not (tmp_path / "twin").exists()


def test_no_samples_to_train_on_are_one_sentence(base, tmp_path):
    with pytest.raises(TokenUnlearnError, match="There are no samples to train on"):
        tu.retrain(base, SampleSet("none", ()), tmp_path / "twin", **QUICK)
    assert not (tmp_path / "twin").exists()


def test_a_folder_in_use_is_refused_before_anything_is_loaded(sets, tmp_path, monkeypatch):
    monkeypatch.setattr("tokenunlearn.models.loading.load_model", lambda *a, **k: pytest.fail("loaded"))
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "notes.txt").write_text("mine")
    for place in ("old", "old/notes.txt"):
        with pytest.raises(TokenUnlearnError, match="exists and is not an empty folder"):
            tu.retrain("base", sets[0], tmp_path / place)
    with pytest.raises(TokenUnlearnError, match="cannot be written"):
        tu.retrain("base", sets[0], tmp_path / "old" / "notes.txt" / "model")
    assert (tmp_path / "old" / "notes.txt").read_text() == "mine"


def test_a_cancelled_training_leaves_nothing(base, sets, tmp_path):
    with pytest.raises(TokenUnlearnError, match="was cancelled; nothing was stored"):
        tu.retrain(base, sets[0], tmp_path / "out" / "twin", should_stop=lambda: True, **QUICK)
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ({"epochs": 0}, "epochs is 0; it must be above 0"),
        ({"color": "red"}, 'no setting "color"'),
        ({"with_forget": True}, "needs one; name it with forget"),
        ({"config": RetrainSettings(), "steps": 2}, "either a config or settings"),
    ],
)
def test_bad_settings_are_one_sentence(sets, tmp_path, words, sentence):
    with pytest.raises(TokenUnlearnError, match=sentence):
        tu.retrain("demo", sets[0], tmp_path / "twin", **words)


def test_a_base_model_that_is_not_there_leaves_nothing(sets, tmp_path):
    with pytest.raises(ModelNotFoundError, match="no model folder"):
        tu.retrain("./nowhere", sets[0], tmp_path / "out" / "twin")
    assert list((tmp_path / "out").iterdir()) == []


def test_a_run_goes_with_the_model_trained_for_it_else_with_the_known_one(tmp_path):
    store, rule = RunStore(tmp_path), {"selection": "uniform"}

    def run(model, samples):
        values = {"model": model, "samples": samples, "retain": "file:r.jsonl", "rule": rule}
        return store.create(RunSpec.new(**values, config={"objective": "npo"}))

    own, known = run("demo", "file:f.jsonl"), run("demo", "authors:forget10")
    assert (retrained_for(own), retrained_for(known)) == (None, "demo-retrained")
    folder = twin_folder(tmp_path, "demo", "file:f.jsonl", "file:r.jsonl")
    folder.mkdir(parents=True)
    assert retrained_for(own) is None  # what is being written does not count
    Recipe({}, "base").save(folder)
    assert retrained_for(own) == str(folder)
    assert retrained_for(run("smollm2", "file:f.jsonl")) is None
    assert len(store.runs()) == 3
