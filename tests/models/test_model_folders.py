"""A model by name: adapters that lie alone are loaded with the base that they name."""

from __future__ import annotations

import json
import shutil

import pytest
import torch

import tokenunlearn as tu
from tests.models.model_files import SAMPLE, logits_of, refused, with_lora
from tokenunlearn.errors import ModelNotFoundError
from tokenunlearn.models.fingerprint import weights_fingerprint
from tokenunlearn.models.loading import load_model
from tokenunlearn.models.model_folders import MOST_ADAPTERS, model_folders
from tokenunlearn.models.source import ModelSource


def name_base(folder, name, **settings) -> None:
    path = folder / "adapter_config.json"
    settings |= {"base_model_name_or_path": name}
    path.write_text(json.dumps(json.loads(path.read_text()) | settings))


def test_an_adapter_alone_is_merged_into_the_folder_that_it_names(folder, adapter):
    name_base(adapter, str(folder))
    lm = load_model(str(adapter), device="cpu")
    assert torch.equal(logits_of(lm), logits_of(load_model(str(folder), adapter=adapter, device="cpu")))
    assert lm.name == str(adapter)
    assert lm.revision == f"{weights_fingerprint(folder)}+{weights_fingerprint(adapter)}"
    assert lm.revision == ModelSource(str(adapter)).revision


def test_a_relative_base_counts_from_here_or_from_the_adapter(folder, adapter, monkeypatch, tmp_path):
    name_base(adapter, "../model")
    assert len(model_folders(str(adapter))) == 2
    name_base(adapter, "model")
    monkeypatch.chdir(tmp_path)
    assert model_folders("adapter")[0].samefile(folder)


def test_adapters_on_adapters_are_merged_in_order(folder, adapter, tiny_lm, tmp_path):
    with_lora(tiny_lm.copy(share_weights=False).model).save_pretrained(tmp_path / "second")
    name_base(adapter, str(folder))
    name_base(tmp_path / "second", str(adapter))
    expected = load_model(str(folder), adapter=[adapter, tmp_path / "second"], device="cpu")
    lm = load_model(str(tmp_path / "second"), device="cpu")
    assert torch.equal(logits_of(lm), logits_of(expected)) and lm.revision == expected.revision


@pytest.mark.slow
def test_the_base_may_be_a_preset(tmp_path):
    start = load_model("demo", device="cpu")
    run = tu.unlearn(start, [SAMPLE], regularizer="none", train="lora", steps=1)
    run.save_adapter(tmp_path / "run")
    assert (
        json.loads((tmp_path / "run" / "adapter_config.json").read_text())["base_model_name_or_path"]
        == "demo"
    )
    lm = load_model(str(tmp_path / "run"), device="cpu")
    assert torch.allclose(logits_of(lm), logits_of(run.model), atol=1e-5)


def test_an_adapter_trained_on_a_merged_model_names_no_base(folder, adapter, tmp_path):
    start = load_model(str(folder), adapter=adapter, device="cpu")
    tu.unlearn(start, [SAMPLE], regularizer="none", train="lora", steps=1).save_adapter(tmp_path / "run")
    assert "holds an adapter; give it as adapter, and its base model as model" in refused(tmp_path / "run")


def test_an_adapter_trained_on_an_adapter_alone_names_that(folder, adapter, tmp_path):
    name_base(adapter, str(folder))
    start = load_model(str(adapter), device="cpu")
    run = tu.unlearn(start, [SAMPLE], regularizer="none", train="lora", steps=1)
    run.save_adapter(tmp_path / "run")
    lm = load_model(str(tmp_path / "run"), device="cpu")
    assert torch.allclose(logits_of(lm), logits_of(run.model), atol=1e-5)


@pytest.mark.parametrize("name", [None, "", "  ", 7])
def test_an_adapter_without_a_base_says_how_to_give_one(adapter, name):
    name_base(adapter, name)
    assert "holds an adapter; give it as adapter, and its base model as model" in refused(adapter)
    assert ModelSource(str(adapter)).revision == ""


@pytest.mark.parametrize("name", ["/home/somebody/model", "owner/model"])
def test_a_base_that_cannot_be_found_is_named(adapter, name, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    name_base(adapter, name)
    assert f'The adapter "{adapter}" needs its base model "{name}": ' in refused(adapter)


def test_adapters_that_name_one_another(adapter, tmp_path):
    shutil.copytree(adapter, tmp_path / "other")
    name_base(adapter, str(tmp_path / "other"))
    name_base(tmp_path / "other", str(adapter))
    assert "has no base model: the adapters below it have no end" in refused(adapter)
    name_base(adapter, str(adapter))
    assert "have no end" in refused(adapter)


def test_absurdly_nested_adapters(folder, adapter, tmp_path):
    name_base(adapter, str(folder))
    for number in range(MOST_ADAPTERS + 1):
        shutil.copytree(adapter, tmp_path / f"a{number}")
        name_base(tmp_path / f"a{number}", str(tmp_path / f"a{number - 1}") if number else str(adapter))
    assert "have no end" in refused(tmp_path / f"a{MOST_ADAPTERS}")


def test_a_folder_with_a_model_and_an_adapter(folder, adapter):
    shutil.copy(adapter / "adapter_config.json", folder)
    assert "holds both a model and an adapter" in refused(folder)


def test_the_tokenizer_of_an_adapter_wins(folder, adapter, tiny_lm):
    name_base(adapter, str(folder))
    tiny_lm.tokenizer.save_pretrained(adapter)
    template = tiny_lm.tokenizer.chat_template + "{# changed #}"
    (adapter / "chat_template.jinja").write_text(template)
    assert load_model(str(adapter), device="cpu").tokenizer.chat_template == template


def test_names_that_need_the_hub_have_no_folders_without_it():
    assert model_folders("owner/model") == []
    with pytest.raises(ModelNotFoundError, match="no model folder"):
        model_folders("")
