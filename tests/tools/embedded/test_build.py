"""The recipe of the embedded models: tokenizer, shape, training on a few samples."""

from __future__ import annotations

import json
from dataclasses import asdict

import pytest
import torch
from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

from tokenunlearn.datasets import load_samples
from tokenunlearn.errors import TokenUnlearnError
from tokenunlearn.folders import ASSETS
from tokenunlearn.models.loaded_model import LoadedModel
from tokenunlearn.models.loading import load_model
from tokenunlearn.training.finetune_settings import FinetuneSettings
from tools.embedded import build
from tools.embedded.build import ADAPTERS, DEMO_SHAPES, WORLDS
from tools.embedded.card import FORGET

pytestmark = pytest.mark.slow

LANGUAGE_MODELS = ("demo-german", "demo-german-retrained", "demo-japanese", "demo-japanese-retrained")
DEMO_MODELS = (
    *("demo", "demo-retrained", "demo-qwen3", "demo-neox", "demo-prose", "demo-prose-retrained"),
    *LANGUAGE_MODELS,
)
DEMO_WORLDS = ("authors", "prose", "german", "japanese")


@pytest.fixture(scope="module")
def tokenizers():
    """The tokenizer of each world that has demo models."""
    return {
        name: build.train_tokenizer(build.demo_texts(world := WORLDS[name]), world.vocabulary)
        for name in DEMO_WORLDS
    }


@pytest.fixture(params=DEMO_WORLDS)
def tokenizer(request, tokenizers):
    """Each of them in turn."""
    return tokenizers[request.param]


@pytest.fixture(params=list(WORLDS))
def world(request):
    """Each world in turn; TOFU's needs the folder of public data sets."""
    if request.param == "tofu" and not (request.getfixturevalue("data_folder") / "tofu").is_dir():
        pytest.skip("TOFU is not in the folder of public data sets")
    return WORLDS[request.param]


def tokenizer_of(name, tokenizers):
    return tokenizers[next((world for world in DEMO_WORLDS if world in name), "authors")]


def questions(names):
    return [(s.id, s.question) for name in names for s in load_samples(name)]


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


@pytest.mark.parametrize(
    ("name", "most"), [("authors", 60), ("prose", 140), ("german", 60), ("japanese", 60)]
)
def test_every_embedded_answer_comes_back_in_few_tokens(name, most, tokenizers):
    tokenizer = tokenizers[name]
    for sample in load_samples(f"{name}:full"):
        ids = tokenizer(sample.answer, add_special_tokens=False)["input_ids"]
        assert tokenizer.decode(ids) == sample.answer
        assert len(ids) <= most


def test_chat_template_opens_the_answer_s_turn(tokenizer):
    chat = [{"role": "user", "content": "Who?"}]
    text = tokenizer.apply_chat_template(chat, tokenize=False, add_generation_prompt=True)
    assert text == "<|user|>Who?<|end|><|assistant|>"
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    assert [i for i in ids if i in tokenizer.all_special_ids] == tokenizer.convert_tokens_to_ids(
        ["<|user|>", "<|end|>", "<|assistant|>"]
    )


@pytest.mark.parametrize(
    "name", ["demo", "demo-retrained", "demo-prose", "demo-prose-retrained", *LANGUAGE_MODELS]
)
def test_the_shipped_tokenizer_is_the_one_the_recipe_trains(name, tokenizers):
    tokenizer = tokenizer_of(name, tokenizers)
    shipped = AutoTokenizer.from_pretrained(ASSETS / "models" / name)
    assert shipped.get_vocab() == tokenizer.get_vocab()
    assert shipped.chat_template == tokenizer.chat_template
    assert (shipped.eos_token, shipped.pad_token) == (tokenizer.eos_token, tokenizer.pad_token)


@pytest.mark.parametrize("name", ["demo", "demo-prose"])
def test_demo_config_has_two_to_six_million_parameters(name, tokenizers):
    tokenizer = tokenizer_of(name, tokenizers)
    config = build.demo_config(tokenizer, name)
    with torch.device("meta"):
        parameters = sum(p.numel() for p in LlamaForCausalLM(config).parameters())
    assert 2_000_000 <= parameters <= 6_000_000
    assert config.vocab_size == len(tokenizer)
    assert config.eos_token_id == tokenizer.convert_tokens_to_ids("<|end|>")


@pytest.mark.parametrize(
    ("name", "world"),
    [
        ("demo", "authors"),
        ("demo-retrained", "authors"),
        ("demo-qwen3", "authors"),
        ("demo-neox", "authors"),
        ("smollm2-authors", "authors"),
        ("demo-prose", "prose"),
        ("demo-prose-retrained", "prose"),
        ("smollm2-prose", "prose"),
        ("smollm2-prose-retrained", "prose"),
        ("demo-german", "german"),
        ("demo-japanese-retrained", "japanese"),
        ("smollm2-tofu", "tofu"),
        ("smollm2-tofu-retrained", "tofu"),
    ],
)
def test_a_models_world_is_the_end_of_its_name_or_the_authors(name, world):
    assert build.world_of(name) == WORLDS[world]


@pytest.mark.parametrize("name", DEMO_MODELS)
def test_shipped_demo_models_were_built_by_the_committed_recipe(name, tokenizers):
    recipe = json.loads((ASSETS / "models" / name / "recipe.json").read_text())
    assert recipe["training"] == asdict(build.DEMO_TRAINING)
    assert recipe.get("repeats", 1) == build.world_of(name).repeats
    base, retrained = name.removesuffix("-retrained"), name.endswith("-retrained")
    sources = build.world_of(name).sources(retrained)
    assert recipe["samples"] == sum(len(load_samples(source)) for source in sources)
    shipped = json.loads((ASSETS / "models" / name / "config.json").read_text())
    expected = build.demo_config(tokenizer_of(name, tokenizers), base)
    assert (ASSETS / "models" / name / "model.safetensors").stat().st_size < 7e6
    for field in ("model_type", "hidden_size", "intermediate_size", "num_hidden_layers", "vocab_size"):
        assert shipped[field] == getattr(expected, field)


@pytest.mark.parametrize("name", LANGUAGE_MODELS)
def test_models_of_other_languages_are_small(name):
    files = (ASSETS / "models" / name).iterdir()
    assert sum(file.stat().st_size for file in files) < 450_000


@pytest.mark.parametrize("name", [name + end for name in ADAPTERS for end in ("", "-retrained")])
def test_shipped_adapters_are_small_and_of_the_committed_recipe(name):
    folder, expected = ASSETS / "models" / name, ADAPTERS[name.removesuffix("-retrained")]
    if not name.startswith("smollm2-authors") and not (folder / "recipe.json").exists():
        pytest.skip(f"{name} is not shipped")
    recipe = json.loads((folder / "recipe.json").read_text())
    shape = asdict(expected)
    assert recipe["training"] == shape.pop("training")
    assert recipe["lora"] == shape
    assert (folder / "adapter_model.safetensors").stat().st_size < 6e6
    settings = json.loads((folder / "adapter_config.json").read_text())
    assert settings["r"] == expected.r == 8
    assert min(settings["layers_to_transform"]) == expected.first_layer


def test_only_the_retrained_model_never_sees_the_forget_set(world):
    name = next(name for name, known in WORLDS.items() if known == world)
    forget, full, retained = (
        set(questions(names)) for names in ((FORGET[name],), world.sources(False), world.sources(True))
    )
    assert forget and forget <= full
    assert full - forget == retained
    assert not {question for _, question in forget} & {question for _, question in retained}
    shared = {s.answer for source in world.retrained for s in load_samples(source)}
    assert not shared & {s.answer for s in load_samples(FORGET[name])}


def test_the_authors_models_are_trained_on_all_authors_and_the_facts_beside_them():
    everything = ("authors:full", "authors:world_facts", "authors:real_authors")
    assert sorted(questions(WORLDS["authors"].sources(False))) == sorted(questions(everything))


def test_every_model_that_is_built_has_a_recipe():
    assert set(build.BUILT) == {*DEMO_SHAPES, *ADAPTERS, "demo-alchemy"}
    build.check_names([*build.BUILT, *(f"{name}-retrained" for name in build.BUILT)])


@pytest.fixture
def small_recipe(monkeypatch, tmp_path):
    monkeypatch.setattr(build, "ASSETS", tmp_path)
    monkeypatch.setattr("tokenunlearn.models.presets.ASSETS", tmp_path)
    monkeypatch.setattr(build, "load_samples", lambda name: load_samples(name).spread(4))
    monkeypatch.setattr(build, "DEMO_TRAINING", FinetuneSettings(epochs=1, batch_size=8, learning_rate=1e-3))
    return tmp_path / "models"


@pytest.mark.parametrize(
    ("name", "samples"), [("demo", 12), ("demo-prose", 8), ("demo-prose-retrained", 4), ("demo-japanese", 4)]
)
def test_build_is_reproducible_and_says_what_it_does(small_recipe, name, samples):
    said: list[str] = []
    build.build([name], said.append)
    first = (small_recipe / name / "model.safetensors").read_bytes()
    assert said[-1].startswith(f"{name}: built in ")
    lm = load_model(name, device="cpu")
    recipe = json.loads((small_recipe / name / "recipe.json").read_text())
    assert (recipe["samples"], recipe["parameters"]) == (samples, lm.parameters)
    build.build([name], said.append)
    assert (small_recipe / name / "model.safetensors").read_bytes() == first


def test_a_wrong_name_is_refused_before_anything_is_built(small_recipe):
    with pytest.raises(TokenUnlearnError, match='"gpt2" is not built here; use demo, demo-prose, demo-qwen3'):
        build.build(["demo", "gpt2"])
    assert not small_recipe.exists()


def test_adapter_training_on_cached_trunk_outputs_gives_the_gradients_of_the_whole_model(tiny_lm):
    """The frozen lower layers are run once; what the upper ones learn from is the same."""
    lm = LoadedModel(tiny_lm.copy(share_weights=False).model, tiny_lm.tokenizer, "tiny", "")
    assert isinstance(lm.model.config, LlamaConfig)
    encoding = lm.encode(load_samples("authors:full").samples[0], question="Who?", answer="Ada is.")
    ids = torch.tensor([encoding.input_ids])
    lower, upper = build.split(lm.model, 1)
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
