"""Adapters that would be merged wrongly are refused."""

from __future__ import annotations

import json

import pytest
import torch
from peft import LoraConfig, get_peft_model

from tests.models.model_files import SAMPLE, logits_of, refused
from tokenunlearn import unlearn
from tokenunlearn.errors import TokenUnlearnError
from tokenunlearn.models.loading import load_model


@pytest.mark.parametrize("start", ["pissa", "pissa_niter_4", "olora"])
def test_an_adapter_over_weights_that_its_initialization_changed(folder, tiny_lm, tmp_path, start):
    model = tiny_lm.copy(share_weights=False).model
    config = LoraConfig(r=2, target_modules=["q_proj"], task_type="CAUSAL_LM", init_lora_weights=start)
    get_peft_model(model, config).save_pretrained(tmp_path / "changed")
    assert f"belongs to base weights that its initialization changed ({start})" in refused(
        folder, adapter=tmp_path / "changed"
    )


@pytest.mark.parametrize("start", [False, "gaussian", "orthogonal"])
def test_other_initializations_leave_the_base_weights(folder, tiny_lm, tmp_path, start):
    target = tiny_lm.copy(share_weights=False)
    config = LoraConfig(r=2, target_modules=["q_proj"], task_type="CAUSAL_LM", init_lora_weights=start)
    get_peft_model(target.model, config).save_pretrained(tmp_path / "lora")
    saved = json.loads((tmp_path / "lora" / "adapter_config.json").read_text())["init_lora_weights"]
    assert saved == start
    lm = load_model(str(folder), adapter=tmp_path / "lora", device="cpu")
    assert torch.allclose(logits_of(lm), logits_of(target), atol=1e-5)


def test_a_model_with_an_adapter_in_its_layers_is_not_trained_in_place(tiny_lm):
    first = unlearn(tiny_lm, [SAMPLE], regularizer="none", train="lora", steps=1)
    with pytest.raises(TokenUnlearnError, match="has an adapter in its layers"):
        unlearn(first.model, [SAMPLE], regularizer="none", train="lora", steps=1)
