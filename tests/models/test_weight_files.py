"""Model folders and adapters that do not hold together are refused in one sentence, with tensor names."""

from __future__ import annotations

import json
import struct

import pytest
import torch
from safetensors.torch import load_file

from tests.models.model_files import LAYER, change, configure, refused
from tokenunlearn.errors import ModelNotFoundError
from tokenunlearn.models.loading import load_model
from tokenunlearn.models.weight_files import ModelFiles, check_fit, tensor_shapes, weight_files

INDEX = "model.safetensors.index.json"


def poisoned(value: float):
    def tensors(named):
        named[LAYER][3, 5] = value
        return named

    return tensors


@pytest.mark.parametrize(
    ("tensors", "named"),
    [
        (lambda named: dict(sorted(named.items())[::2]), "model.embed_tokens.weight"),
        (lambda named: {f"old.{name}": t for name, t in named.items()}, "old.lm_head.weight"),
        (lambda named: {name: t for name, t in named.items() if name != LAYER}, LAYER),
        (lambda named: named | {LAYER: named[LAYER].T.contiguous()}, f"of another shape {LAYER}"),
        (lambda named: named | {"model.layers.0.extra": torch.ones(2)}, "model.layers.0.extra"),
        (poisoned(float("nan")), f"NaN or infinite values in {LAYER}"),
        (poisoned(float("-inf")), f"NaN or infinite values in {LAYER}"),
    ],
    ids=["every second missing", "all renamed", "one missing", "transposed", "unknown", "NaN", "infinite"],
)
def test_tensors_that_do_not_fit_are_named(folder, tensors, named):
    change(folder / "model.safetensors", tensors)
    assert named in refused(folder)


@pytest.mark.parametrize("model_type", ["gpt2", "gpt_neox", "qwen2", "mamba", "opt", "mixtral"])
def test_a_model_type_of_another_family_is_refused_with_tensor_names(folder, model_type):
    configure(folder, model_type=model_type, architectures=None)
    assert "model.layers.0." in refused(folder) or "model.embed_tokens.weight" in refused(folder)


def test_a_model_type_whose_tensors_fit_is_told_by_the_architecture(folder):
    configure(folder, model_type="mistral")
    assert 'model_type "mistral", but its architecture LlamaForCausalLM is of the type "llama"' in refused(
        folder
    )


@pytest.mark.parametrize("architectures", [{"a": 1}, "LlamaForCausalLM", [5], []])
def test_architectures_that_are_no_list_of_names_say_nothing(folder, architectures):
    configure(folder, architectures=architectures)
    load_model(str(folder), device="cpu")


def test_values_that_overflow_in_the_dtype_asked_for_are_infinite(folder):
    change(folder / "model.safetensors", poisoned(1e6))
    load_model(str(folder), device="cpu")
    assert LAYER in refused(folder, dtype="float16")


def test_stored_constants_and_tied_heads_are_no_fault(folder, family_lm, tmp_path):
    extra = {"model.layers.0.attn.masked_bias": torch.tensor(-1e4), "model.position_ids": torch.arange(9)}
    change(folder / "model.safetensors", lambda named: named | extra)
    load_model(str(folder), device="cpu")
    tied = family_lm("gpt2")
    tied.model.save_pretrained(tmp_path / "tied")
    tied.tokenizer.save_pretrained(tmp_path / "tied")
    load_model(str(tmp_path / "tied"), device="cpu")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [("null", "must be an object"), ("[1]", "must be an object"), ("{", "not valid JSON")],
)
def test_config_that_is_no_object(folder, text, sentence):
    (folder / "config.json").write_text(text)
    assert sentence in refused(folder)


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"num_hidden_layers": 10_000_000}, "num_hidden_layers is 10,000,000, but its weights are only"),
        ({"n_layers": 10**9}, "n_layers is 1,000,000,000"),
        ({"hidden_size": 4096}, "describes a larger model than its weights"),
        ({"vocab_size": 10**12}, "describes a larger model than its weights"),
        ({"num_hidden_layers": 3}, "missing model.layers.2."),
        ({"num_hidden_layers": 1}, "unknown model.layers.1."),
        ({"hidden_size": 36}, "of another shape"),
    ],
)
def test_config_of_another_size_than_the_weights(folder, settings, sentence):
    configure(folder, **settings)
    assert sentence in refused(folder)


def test_a_large_config_is_refused_before_its_layers_are_built(folder, monkeypatch):
    configure(folder, num_hidden_layers=18)
    built = []
    linear = torch.nn.Linear.__init__
    monkeypatch.setattr(torch.nn.Linear, "__init__", lambda *a, **k: built.append(1) or linear(*a, **k))
    assert "describes a larger model" in refused(folder)
    assert len(built) < 18 * 7 / 2


def header(tensors: dict, data: bytes = b"") -> bytes:
    text = json.dumps(tensors).encode()
    return struct.pack("<Q", len(text)) + text + data


HUGE = {"dtype": "F32", "shape": [10**9, 10**9]}


@pytest.mark.parametrize(
    "content",
    [
        b"",
        struct.pack("<Q", 2**60) + b"{}",
        struct.pack("<Q", 2**64 - 1) + b"{}",
        header({"lm_head.weight": HUGE | {"data_offsets": [0, 4 * 10**18]}}),
        header({"lm_head.weight": HUGE | {"data_offsets": [0, 16]}}, b"0" * 16),
    ],
    ids=[
        "empty",
        "header of 2^60 bytes",
        "header of 2^64 bytes",
        "shapes beyond the file",
        "shapes that lie",
    ],
)
def test_headers_that_lie_about_sizes(folder, content):
    (folder / "model.safetensors").write_bytes(content)
    assert "holds no readable safetensors" in refused(folder)


@pytest.mark.parametrize("name", ["../outside.safetensors", "/outside.safetensors", "gone.safetensors", 7])
def test_an_index_names_only_files_of_its_folder(folder, name):
    weights = folder / "model.safetensors"
    names = list(tensor_shapes(weights))
    weights.rename(folder.parent / "outside.safetensors")
    (folder / INDEX).write_text(json.dumps({"weight_map": dict.fromkeys(names, name)}))
    assert f'names "{name}", which is not a safetensors file in that folder' in refused(folder)


def test_an_index_names_no_link_out_of_its_folder(folder):
    weights, elsewhere = folder / "model.safetensors", folder.parent / "outside.safetensors"
    names = list(tensor_shapes(weights))
    weights.rename(elsewhere)
    (folder / "part.safetensors").symlink_to(elsewhere)
    (folder / INDEX).write_text(json.dumps({"weight_map": dict.fromkeys(names, "part.safetensors")}))
    assert 'names "part.safetensors", which is not a safetensors file in that folder' in refused(folder)


def test_an_index_in_a_snapshot_of_the_hub_names_links_to_its_blobs(folder, tmp_path):
    snapshot, blobs = tmp_path / "models--a--b" / "snapshots" / "0", tmp_path / "models--a--b" / "blobs"
    snapshot.parent.mkdir(parents=True)
    folder.rename(snapshot)
    blobs.mkdir()
    names = list(tensor_shapes(snapshot / "model.safetensors"))
    (snapshot / "model.safetensors").rename(blobs / "1")
    (snapshot / "part.safetensors").symlink_to(blobs / "1")
    (snapshot / INDEX).write_text(json.dumps({"weight_map": dict.fromkeys(names, "part.safetensors")}))
    assert weight_files(snapshot) == [snapshot / "part.safetensors"]


@pytest.mark.parametrize("index", ["[]", "{}", '{"weight_map": []}'])
def test_an_index_without_names(folder, index):
    (folder / "model.safetensors").unlink()
    (folder / INDEX).write_text(index)
    assert INDEX in refused(folder)


def test_shards_are_read_as_one_file_is(tiny_lm, folder):
    whole = ModelFiles.read(folder)
    tiny_lm.model.save_pretrained(folder.parent / "shards", max_shard_size="40KB")
    shards = ModelFiles.read(folder.parent / "shards")
    assert len(weight_files(shards.path)) > 1
    assert shards.shapes == whole.shapes == {n: tuple(t.shape) for n, t in tiny_lm.model.state_dict().items()}


def test_pickled_weights_are_not_read(folder, adapter):
    torch.save(load_file(adapter / "adapter_model.safetensors"), adapter / "adapter_model.bin")
    (adapter / "adapter_model.safetensors").unlink()
    assert "has no adapter_model.safetensors; other formats can run code" in refused(folder, adapter=adapter)
    torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    assert "has no safetensors weights; other formats can run code" in refused(folder)


LORA = "base_model.model.model.layers.0.self_attn.q_proj.lora_A"


@pytest.mark.parametrize(
    ("tensors", "named"),
    [
        (lambda named: dict(sorted(named.items())[::2]), "missing base_model.model.model.layers.0."),
        (lambda named: {n.replace("layers.1", "layers.7"): t for n, t in named.items()}, "layers.7."),
        (
            lambda named: named | {f"{LORA}.weight": torch.full((2, 32), torch.nan)},
            f"values in {LORA}.weight",
        ),
        (lambda named: named | {f"{LORA}.weight": torch.ones(3, 32)}, f"size mismatch for {LORA}"),
    ],
    ids=["every second missing", "other layers", "NaN", "another rank"],
)
def test_adapter_tensors_that_do_not_fit_are_named(folder, adapter, tensors, named):
    change(adapter / "adapter_model.safetensors", tensors)
    assert named in refused(folder, adapter=adapter)


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"target_modules": ["c_attn"]}, "c_attn"),
        ({"target_modules": ["q_proj"]}, "unknown base_model.model.model.layers.0.mlp.down_proj"),
        ({"r": 10**9}, "size mismatch"),
        ({"peft_type": "NOPE"}, "does not fit the model"),
    ],
)
def test_adapter_configs_that_do_not_fit(folder, adapter, settings, sentence):
    path = adapter / "adapter_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | settings))
    assert sentence in refused(folder, adapter=adapter)


def test_adapter_config_that_is_no_object(folder, adapter):
    (adapter / "adapter_config.json").write_text("null")
    assert "must be an object" in refused(folder, adapter=adapter)


def test_a_model_that_sees_later_tokens_is_refused(tiny_tokenizer, tmp_path):
    from transformers import AutoModelForCausalLM, BertConfig

    sizes = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 64}
    bert = AutoModelForCausalLM.from_config(BertConfig(vocab_size=len(tiny_tokenizer), **sizes))
    bert.save_pretrained(tmp_path / "bert")
    tiny_tokenizer.save_pretrained(tmp_path / "bert")
    assert 'architecture "bert" is not supported' in refused(tmp_path / "bert")


def test_many_names_are_counted():
    with pytest.raises(ModelNotFoundError, match=r"^It fits ill: missing a, b, c and 2 more; unknown f\.$"):
        check_fit("It fits ill", "abcde", "f")


def test_the_limit_ends_with_the_loading(folder):
    configure(folder, hidden_size=4096)
    refused(folder)
    torch.nn.Linear(10_000, 10_000, device="meta")


def test_links_to_files_elsewhere_load_as_in_the_cache_of_the_hub(folder, adapter, tmp_path):
    for real in (folder, adapter):
        links = tmp_path / "links" / real.name
        links.mkdir(parents=True)
        for path in real.iterdir():
            (links / path.name).symlink_to(path)
    linked = tmp_path / "links"
    assert load_model(str(linked / "model"), adapter=linked / "adapter", device="cpu").model
