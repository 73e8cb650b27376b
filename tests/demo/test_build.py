"""The recipe of the embedded models: tokenizer, shape, training on a few samples."""

from __future__ import annotations

import json
from dataclasses import asdict

import pytest
import torch
from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

from tokenunlearn.datasets import load_samples
from tokenunlearn.demo import build
from tokenunlearn.errors import TokenUnlearnError
from tokenunlearn.models import ASSETS, LoadedModel, load_model
from tokenunlearn.training.finetune import FinetuneConfig


@pytest.fixture(scope="module")
def tokenizer():
    return build.train_tokenizer(build.demo_texts())


@pytest.mark.parametrize(
    "text",
    [
        "Ada Miller was born in Lisbon.",
        "Zürich, 日本 🙂\n\ttwo  blanks",
        "<|end|> and <|user|>",
        " led by a blank",
        "",
    ],
)
def test_any_text_comes_back_from_its_tokens(tokenizer, text):
    ids = tokenizer(text, add_special_tokens=False, split_special_tokens=True)["input_ids"]
    assert tokenizer.decode(ids) == text
    assert not set(ids) & set(tokenizer.all_special_ids)


def test_every_embedded_answer_comes_back_in_few_tokens(tokenizer):
    for sample in load_samples("authors:full"):
        ids = tokenizer(sample.answer, add_special_tokens=False)["input_ids"]
        assert tokenizer.decode(ids) == sample.answer
        assert len(ids) <= 60


def test_chat_template_opens_the_answer_s_turn(tokenizer):
    chat = [{"role": "user", "content": "Who?"}]
    text = tokenizer.apply_chat_template(chat, tokenize=False, add_generation_prompt=True)
    assert text == "<|user|>Who?<|end|><|assistant|>"
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    assert [i for i in ids if i in tokenizer.all_special_ids] == tokenizer.convert_tokens_to_ids(
        ["<|user|>", "<|end|>", "<|assistant|>"]
    )


def test_the_shipped_tokenizer_is_the_one_the_recipe_trains(tokenizer):
    for name in ("demo", "demo-retrained"):
        shipped = AutoTokenizer.from_pretrained(ASSETS / "models" / name)
        assert shipped.get_vocab() == tokenizer.get_vocab()
        assert shipped.chat_template == tokenizer.chat_template
        assert (shipped.eos_token, shipped.pad_token) == (tokenizer.eos_token, tokenizer.pad_token)


def test_demo_config_has_two_to_six_million_parameters(tokenizer):
    config = build.demo_config(tokenizer)
    with torch.device("meta"):
        parameters = sum(p.numel() for p in LlamaForCausalLM(config).parameters())
    assert 2_000_000 <= parameters <= 6_000_000
    assert config.vocab_size == len(tokenizer)
    assert config.eos_token_id == tokenizer.convert_tokens_to_ids("<|end|>")


@pytest.mark.parametrize("name", ["demo", "demo-retrained", "demo-qwen3", "demo-neox"])
def test_shipped_demo_models_were_built_by_the_committed_recipe(name, tokenizer):
    recipe = json.loads((ASSETS / "models" / name / "recipe.json").read_text())
    assert recipe["training"] == asdict(build.DEMO_TRAINING)
    base = name.removesuffix("-retrained")
    sources = (build.TRAINED_ON[name.removeprefix(base)], *build.SHARED_TRAINING)
    assert recipe["samples"] == sum(len(load_samples(source)) for source in sources)
    shipped = json.loads((ASSETS / "models" / name / "config.json").read_text())
    expected = build.demo_config(tokenizer, base)
    assert (ASSETS / "models" / name / "model.safetensors").stat().st_size < 7e6
    for field in ("model_type", "hidden_size", "intermediate_size", "num_hidden_layers", "vocab_size"):
        assert shipped[field] == getattr(expected, field)


@pytest.mark.parametrize("name", ["smollm2-authors", "smollm2-authors-retrained"])
def test_shipped_adapters_are_small_and_of_the_committed_recipe(name):
    folder = ASSETS / "models" / name
    recipe = json.loads((folder / "recipe.json").read_text())
    assert recipe["training"] == asdict(build.ADAPTER_TRAINING)
    assert recipe["lora"] == asdict(build.LoraRecipe())
    assert (folder / "adapter_model.safetensors").stat().st_size < 6e6
    assert json.loads((folder / "adapter_config.json").read_text())["r"] == 8


def test_only_the_retrained_model_never_sees_the_forget_set():
    forget = {s.question for s in load_samples("authors:forget10")}
    full, retained = ({s.question for s in load_samples(build.TRAINED_ON[k])} for k in ("", "-retrained"))
    assert forget <= full
    assert not forget & retained
    shared = {s.answer for source in build.SHARED_TRAINING for s in load_samples(source)}
    assert not shared & {s.answer for s in load_samples("authors:forget10")}


@pytest.fixture
def small_recipe(monkeypatch, tmp_path):
    monkeypatch.setattr(build, "ASSETS", tmp_path)
    monkeypatch.setattr("tokenunlearn.models.ASSETS", tmp_path)
    monkeypatch.setattr(build, "load_samples", lambda name: load_samples(name).spread(4))
    monkeypatch.setattr(build, "DEMO_TRAINING", FinetuneConfig(epochs=1, batch_size=8, learning_rate=1e-3))
    return tmp_path / "models"


def test_build_is_reproducible_and_says_what_it_does(small_recipe):
    said: list[str] = []
    build.build(["demo"], said.append)
    first = (small_recipe / "demo" / "model.safetensors").read_bytes()
    assert said[-1].startswith("demo: built in ")
    lm = load_model("demo", device="cpu")
    recipe = json.loads((small_recipe / "demo" / "recipe.json").read_text())
    assert (recipe["samples"], recipe["parameters"]) == (12, lm.parameters)
    build.build(["demo"], said.append)
    assert (small_recipe / "demo" / "model.safetensors").read_bytes() == first


def test_a_wrong_name_is_refused_before_anything_is_built(small_recipe):
    with pytest.raises(TokenUnlearnError, match='"gpt2" is not built here; use demo, demo-qwen3'):
        build.build(["demo", "gpt2"])
    assert not small_recipe.exists()


def test_adapter_training_on_cached_trunk_outputs_gives_the_gradients_of_the_whole_model(tiny_lm):
    """The frozen lower layers are run once; what the upper ones learn from is the same."""
    lm = LoadedModel(tiny_lm.copy(share_weights=False).model, tiny_lm.tokenizer, "tiny", "")
    assert isinstance(lm.model.config, LlamaConfig)
    encoding = lm.encode(load_samples("authors:full").samples[0], question="Who?", answer="Ada is.")
    ids = torch.tensor([encoding.input_ids])
    lower, upper = build._split(lm.model, 1)
    hidden = build._trunk_output(lower, encoding)[None]
    weight = lm.model.model.layers[1].mlp.down_proj.weight
    gradients = []
    for loss in (
        lambda: lm.model(input_ids=ids, labels=ids).loss,
        lambda: upper(inputs_embeds=hidden, labels=ids).loss,
    ):
        (gradient,) = torch.autograd.grad(loss(), weight)
        gradients.append(gradient)
    assert gradients[0].abs().max() > 1e-4
    assert torch.allclose(*gradients, atol=1e-6)
