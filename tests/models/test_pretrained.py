"""What would load wrongly without a word is put right or refused."""

from __future__ import annotations

import json

import pytest
import torch
from safetensors.torch import load_file, save_file

from tests.models.model_files import LAYER, change, configure, logits_of, refused
from tokenunlearn.models.generation import generate
from tokenunlearn.models.loading import load_model


@pytest.mark.parametrize(
    "settings",
    [
        {"return_dict": False},
        {"output_attentions": True},
        {"output_hidden_states": True},
        {"is_encoder_decoder": True},
        {"attn_implementation": "somebody/kernel"},
        {"_attn_implementation": "flash_attention_2"},
        {"distributed_config": {"tp_size": 2}},
        {"max_position_embeddings": -1},
        {"quantization_config": None},
    ],
    ids=lambda settings: next(iter(settings)),
)
def test_settings_of_how_a_model_runs_change_nothing(folder, tiny_lm, settings, tmp_path):
    configure(folder, **settings)
    lm = load_model(str(folder), device="cpu")
    assert torch.equal(logits_of(lm), logits_of(tiny_lm))
    assert lm.context_length == (None if "max_position_embeddings" in settings else 256)
    assert generate(lm, ["Where?"], max_new_tokens=2) == generate(tiny_lm, ["Where?"], max_new_tokens=2)
    lm.model.save_pretrained(tmp_path / "saved")


def test_weights_named_by_the_configuration_are_not_read_in_place_of_those_checked(folder):
    save_file(load_file(folder / "model.safetensors"), folder / "other.safetensors")
    configure(folder, transformers_weights="other.safetensors")
    assert "names its weights (transformers_weights)" in refused(folder)


def test_a_distributed_checkpoint_is_not_read_in_place_of_the_weights_checked(folder):
    (folder / "shard-00000-model-00001-of-00001.safetensors").write_bytes(b"")
    assert "is a distributed checkpoint" in refused(folder)


def test_a_tensor_in_two_files(folder, tiny_lm):
    (folder / "model.safetensors").unlink()
    tiny_lm.model.save_pretrained(folder, max_shard_size="40KB")
    first, second = sorted(folder.glob("model-*.safetensors"))[:2]
    (name, tensor), *_ = load_file(first).items()
    change(second, lambda named: named | {name: tensor / 2})
    assert f'Two weight files of "{folder}" hold {name}.' in refused(folder)


@pytest.mark.parametrize("dtype", [torch.int8, torch.int64, torch.bool, torch.complex64])
def test_weights_that_are_not_floating_point_numbers(folder, dtype):
    change(folder / "model.safetensors", lambda named: named | {LAYER: named[LAYER].to(dtype)})
    assert (
        f"has no quantization_config, but these weights are not floating-point numbers: {LAYER}"
        in refused(folder)
    )


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.float8_e4m3fn])
def test_weights_of_other_floating_point_types(folder, dtype):
    change(folder / "model.safetensors", lambda named: {n: t.to(dtype) for n, t in named.items()})
    assert load_model(str(folder), device="cpu").model.dtype == torch.float32


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("{", "generation_config.json is not valid JSON"),
        ("null", "generation_config.json must be an object"),
        ("[1]", "generation_config.json must be an object"),
        ('{"cache_implementation": "none"}', 'generation_config.json" is not valid; correct or delete it'),
        ('{"watermarking_config": {"greenlist_ratio": 7}}', "is not valid; correct or delete it"),
        ('{"max_new_tokens": -1}', "is not valid; correct or delete it"),
    ],
)
def test_a_generation_config_that_cannot_be_read(folder, text, sentence):
    (folder / "generation_config.json").write_text(text)
    assert sentence in refused(folder)


@pytest.mark.parametrize("settings", [{"temperature": -3, "do_sample": True}, {"num_beams": 10**6}, {"x": 1}])
def test_settings_to_generate_with_are_not_used(folder, tiny_lm, settings):
    (folder / "generation_config.json").write_text(json.dumps(settings))
    lm = load_model(str(folder), device="cpu")
    assert generate(lm, ["Where?"], max_new_tokens=3) == generate(tiny_lm, ["Where?"], max_new_tokens=3)


def tokenizer_settings(folder, **settings) -> None:
    path = folder / "tokenizer_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | settings))


def test_a_tokenizer_without_its_vocabulary(folder):
    (folder / "tokenizer.json").unlink()
    tokenizer_settings(folder, tokenizer_class="LlamaTokenizer")  # makes an empty one
    assert "has no vocabulary; its tokenizer.json is missing or damaged" in refused(folder)


def test_a_tokenizer_of_a_class_that_cannot_read_its_vocabulary(folder):
    tokenizer_settings(folder, tokenizer_class="BertTokenizer")
    assert "The tokenizer of" in refused(folder)


@pytest.mark.parametrize(("text", "sentence"), [("{", "not valid JSON"), ("null", "must be an object")])
def test_a_tokenizer_config_that_is_no_object(folder, text, sentence):
    (folder / "tokenizer_config.json").write_text(text)
    assert sentence in refused(folder)


def test_a_token_that_is_used_but_has_no_embedding(folder):
    tokenizer_settings(folder, eos_token="<|beyond|>")
    assert "has embeddings for 360 tokens, but its tokenizer has more: <|beyond|>" in refused(folder)


def test_added_tokens_that_are_not_used_need_no_embedding(folder, tiny_lm):
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(str(folder))
    tokenizer.add_tokens(["<image>"])
    tokenizer.save_pretrained(folder)
    load_model(str(folder), device="cpu")
    tokenizer.add_tokens(["Lisbon"])  # a word that any question may hold
    tokenizer.save_pretrained(folder)
    assert "but its tokenizer has more: Lisbon." in refused(folder)
    (folder / "chat_template.jinja").write_text(tiny_lm.tokenizer.chat_template + "{# <image> #}")
    assert "but its tokenizer has more: <image>, Lisbon." in refused(folder)
