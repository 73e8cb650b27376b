"""Which layers an adapter sits on, by architecture."""

from __future__ import annotations

import pytest
import torch
from peft import LoraConfig, get_peft_model

from tests.models.architectures import ARCHITECTURES, SAMPLES, STEP
from tokenunlearn.errors import TokenUnlearnError
from tokenunlearn.models.layers import adapter_targets, freeze_below
from tokenunlearn.training.config import UnlearnConfig
from tokenunlearn.training.trainer import UnlearnTrainer
from tokenunlearn.training.unlearn import unlearn

LORA = {"train": "lora", "lora_r": 4}


@pytest.mark.parametrize("family", ["llama", "gpt2", "rwkv"])
def test_all_linear_layers_by_default(family_lm, family):
    assert adapter_targets(family_lm(family, **ARCHITECTURES[family]).model) == "all-linear"


@pytest.mark.parametrize(
    ("family", "kinds"),
    [
        ("mamba", ("dt_proj", "in_proj", "x_proj")),
        ("mamba2", ("in_proj",)),
        (
            "falcon_h1",
            ("down_proj", "gate_proj", "in_proj", "k_proj", "o_proj", "q_proj", "up_proj", "v_proj"),
        ),
    ],
)
def test_state_space_models_get_adapters_where_peft_allows_them(family_lm, family, kinds):
    lm = family_lm(family, **ARCHITECTURES[family])
    run = unlearn(lm, SAMPLES, retain=SAMPLES, **LORA, **STEP)
    adapted = {
        n.split(".lora_")[0].rpartition(".")[2] for n, _ in run.model.model.named_parameters() if "lora_" in n
    }
    assert run.trained == kinds == tuple(sorted(adapted))


def test_a_model_without_linear_layers(tiny_lm):
    model = tiny_lm.copy(share_weights=True).model
    for name, module in list(model.named_modules()):
        if isinstance(module, torch.nn.Linear) and name != "lm_head":
            parent, _, last = name.rpartition(".")
            setattr(model.get_submodule(parent), last, torch.nn.Identity())
    with pytest.raises(
        TokenUnlearnError, match='"llama" has no linear layer for a LoRA adapter; train all weights'
    ):
        adapter_targets(model)


@pytest.mark.parametrize(("family", "target"), [("mamba", "out_proj"), ("llama", "c_attn")])
def test_targets_that_peft_refuses(family_lm, tmp_path, family, target):
    lm = family_lm(family, **ARCHITECTURES[family]).copy(share_weights=True)
    config = LoraConfig(r=2, target_modules=[target], task_type="CAUSAL_LM")
    args = UnlearnConfig(output_dir=str(tmp_path), max_steps=1, use_cpu=True)
    with pytest.raises(TokenUnlearnError, match=f"adapter does not fit the model: .*{target}"):
        UnlearnTrainer(lm, args, SAMPLES, SAMPLES, peft_config=config)


@pytest.mark.parametrize("train", ["full", "lora"])
def test_only_layers_from_the_first_one_on_change(family_lm, family, train):
    lm = family_lm(family)
    before = {name: p.clone() for name, p in lm.model.named_parameters()}
    run = unlearn(lm, SAMPLES, retain=SAMPLES, train=train, lora_r=4, first_layer=1, **STEP)
    after = dict(run.model.model.named_parameters())
    frozen = [name for name, p in after.items() if not p.requires_grad]
    assert all(torch.equal(after[n], before[n.replace(".base_layer", "")].float()) for n in frozen)
    trained = after.keys() - set(frozen)
    if train == "lora":
        assert all("lora_" in name and ".1." in name for name in trained)
        assert "all-linear" not in run.trained
        assert not any("lora_" in name for name in frozen)
    else:
        assert not any(".0." in name or "emb" in name or "wte" in name or "wpe" in name for name in trained)
        assert {n for n in before if ".1." in n} < trained  # a final norm comes after them
        assert [name.rpartition(".")[2] for name in run.trained] == ["1"]


def test_an_output_head_of_its_own_is_trained_and_one_of_the_embeddings_is_not(family_lm):
    for tied in (True, False):
        model = family_lm("llama", tie_word_embeddings=tied).copy(share_weights=True).model
        model.requires_grad_(True)
        freeze_below(model, 1)
        assert model.lm_head.weight.requires_grad is not tied
        assert model.model.norm.weight.requires_grad
        assert not model.model.embed_tokens.weight.requires_grad


def test_an_adapter_that_is_there_stays_as_it_is_below_the_first_layer(tiny_lm, tmp_path):
    adapted = get_peft_model(tiny_lm.copy(share_weights=True).model, LoraConfig(r=2, task_type="CAUSAL_LM"))
    args = UnlearnConfig(output_dir=str(tmp_path), max_steps=1, use_cpu=True, first_layer=1)
    trainer = UnlearnTrainer(adapted, args, SAMPLES, SAMPLES, processing_class=tiny_lm.tokenizer)
    trained = [name for name, p in trainer.lm.model.named_parameters() if p.requires_grad]
    assert trained and all(".layers.1." in name for name in trained)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"first_layer": 2}, "first_layer is 2; the model has layers 0 to 1"),
        ({"first_layer": -1}, "first_layer is -1; it must be at least 0"),
        ({"first_layer": 1, "objective": "rmu"}, '"rmu" trains modules around its layer; leave first_layer'),
    ],
)
def test_a_first_layer_that_leaves_nothing_to_train_is_refused(tiny_lm, settings, message):
    with pytest.raises(TokenUnlearnError, match=message):
        unlearn(tiny_lm, SAMPLES, retain=SAMPLES, **settings)
