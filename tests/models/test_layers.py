"""Which layers an adapter sits on, by architecture."""

from __future__ import annotations

import pytest
import torch
from peft import LoraConfig

from tests.models.architectures import ARCHITECTURES, SAMPLES, STEP
from tokenunlearn.errors import TokenUnlearnError
from tokenunlearn.models.layers import adapter_targets
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
