"""Models of the Hub pass the checks of folders, those of the configuration before a weight is downloaded."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from tests.models.local_hub import COMMIT, HubServer
from tests.models.model_files import configure, logits_of, refused, with_lora, write_gguf
from tokenunlearn.models.hub import commit_of, shown
from tokenunlearn.models.loading import load_model
from tokenunlearn.models.source import ModelSource

ID = "owner/tiny-model"


@pytest.fixture
def hub(monkeypatch, tmp_path):
    """A Hub of local folders, with an empty cache."""
    from huggingface_hub import constants

    server = HubServer()
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    with server.serving() as address:
        monkeypatch.setattr(constants, "ENDPOINT", address)
        monkeypatch.setattr(
            constants, "HUGGINGFACE_CO_URL_TEMPLATE", address + "/{repo_id}/resolve/{revision}/{filename}"
        )
        yield server


@pytest.fixture
def repository(hub, tiny_folder, tmp_path) -> Path:
    """The tiny model as a repository; a test may change it."""
    folder = shutil.copytree(tiny_folder, tmp_path / "repository")
    hub.repositories[ID] = folder
    return folder


@pytest.fixture
def adapter(tiny_lm, tmp_path) -> Path:
    """A LoRA adapter whose base is the repository."""
    model = tiny_lm.copy(share_weights=False).model
    model.name_or_path = ID
    with_lora(model).save_pretrained(tmp_path / "adapter")
    return tmp_path / "adapter"


def weights(hub) -> list[str]:
    return [name for name in hub.downloads if name.endswith((".safetensors", ".bin", ".gguf"))]


def test_a_model_is_downloaded_once_and_found_offline(hub, repository, tiny_lm, monkeypatch):
    torch.save({}, repository / "pytorch_model.bin")
    (repository / "original").mkdir()
    shutil.copy(repository / "model.safetensors", repository / "original" / "model.safetensors")
    lm = load_model(ID, device="cpu")
    assert torch.equal(logits_of(lm), logits_of(tiny_lm))
    assert (lm.name, lm.revision, lm.model.name_or_path) == (ID, COMMIT, ID)
    assert weights(hub) == ["model.safetensors"]
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    assert load_model(ID, device="cpu", revision="main").revision == COMMIT
    assert ModelSource(ID).revision == ""


def test_shards_are_downloaded_by_their_index(hub, repository, tiny_lm):
    (repository / "model.safetensors").unlink()
    tiny_lm.model.save_pretrained(repository, max_shard_size="40KB")
    assert torch.equal(logits_of(load_model(ID, device="cpu")), logits_of(tiny_lm))
    assert len(weights(hub)) == len(set(weights(hub))) > 1


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"quantization_config": {"quant_method": "gptq", "bits": 4}}, "is quantized with gptq, which"),
        ({"transformers_weights": "other.bin"}, "names its weights"),
    ],
)
def test_what_the_configuration_says_is_refused_before_weights_are_downloaded(
    hub, repository, settings, sentence
):
    configure(repository, **settings)
    assert sentence in refused(ID) and not weights(hub)


@pytest.mark.parametrize("name", ["../outside.safetensors", "code.py"])
def test_an_index_of_other_files_downloads_nothing(hub, repository, name):
    (repository / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"w": name}}))
    assert f'"{name}", which is not a safetensors file' in refused(ID) and not weights(hub)


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"num_hidden_layers": 10_000_000}, "num_hidden_layers is 10,000,000"),
        ({"hidden_size": 4096}, "describes a larger model than its weights"),
        ({"num_hidden_layers": 3}, f'The weights of "{ID}" do not fit its configuration: missing'),
    ],
)
def test_folders_and_hub_ids_are_checked_alike(repository, settings, sentence):
    configure(repository, **settings)
    assert sentence in refused(ID)


def test_pickled_weights_are_not_downloaded(hub, repository):
    torch.save(load_file(repository / "model.safetensors"), repository / "pytorch_model.bin")
    (repository / "model.safetensors").unlink()
    assert "has no safetensors weights; other formats can run code" in refused(ID)
    assert not weights(hub)


def test_an_adapter_alone_is_loaded_with_its_base(hub, repository, tiny_lm, adapter):
    hub.repositories["owner/adapter"] = adapter
    expected = logits_of(load_model(ID, adapter=adapter, device="cpu"))
    lm = load_model("owner/adapter", device="cpu")
    assert torch.allclose(logits_of(lm), expected, atol=1e-6) and lm.revision == f"{COMMIT}+{COMMIT}"
    assert torch.allclose(logits_of(load_model(str(adapter), device="cpu")), expected, atol=1e-6)


def test_the_base_of_an_adapter_that_is_not_there_is_named(hub, adapter):
    assert f'needs its base model "{ID}": There is no model "{ID}" on the Hub' in refused(adapter)


def test_one_gguf_file_is_loaded_and_several_are_named(hub, family_lm, tmp_path):
    lm = family_lm("qwen3", head_dim=128)
    hub.repositories[ID] = tmp_path / "gguf"
    hub.repositories[ID].mkdir()
    write_gguf(lm, tmp_path / "gguf" / "a.gguf")
    shutil.copy(tmp_path / "gguf" / "a.gguf", tmp_path / "b.gguf")
    assert torch.allclose(logits_of(load_model(ID, device="cpu")), logits_of(lm), atol=1e-5)
    hub.repositories["owner/two"] = tmp_path / "gguf"
    shutil.copy(tmp_path / "b.gguf", tmp_path / "gguf" / "b.gguf")
    hub.downloads.clear()
    assert 'The model "owner/two" holds 2 GGUF files (a.gguf, b.gguf)' in refused("owner/two")
    assert not weights(hub)


@pytest.mark.parametrize(
    ("name", "options", "sentence"),
    [
        ("owner/nothing", {}, 'There is no model "owner/nothing" on the Hub; check the id'),
        ("owner/not a name", {}, 'There is no model "owner/not a name" on the Hub; check the id'),
        (ID, {"revision": "v9"}, 'has no revision "v9" on the Hub'),
        ("owner/gated", {}, 'The model "owner/gated" is gated; accept its terms'),
    ],
)
def test_what_the_hub_refuses_is_one_sentence(hub, repository, name, options, sentence):
    hub.repositories["owner/gated"] = repository
    hub.gated.add("owner/gated")
    assert sentence in refused(name, **options)


def test_a_download_that_was_cut_off_is_not_taken_for_a_model(repository, monkeypatch, tmp_path):
    load_model(ID, device="cpu")
    (cached,) = (tmp_path / "cache").rglob("snapshots/*/model.safetensors")
    cached.unlink()
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    assert f'The model "{ID}" is not on this machine and the Hub could not be reached' in refused(ID)


def test_snapshots_are_named_by_their_id():
    path = Path("/cache/models--owner--tiny-model/snapshots") / COMMIT
    assert (shown(path), commit_of(path)) == (ID, COMMIT)
    assert (shown(path.parent), commit_of(path.parent)) == (str(path.parent), None)
