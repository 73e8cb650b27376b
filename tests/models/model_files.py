"""Models on disk: what a test writes, changes and compares, and the sentence that one is refused with."""

from __future__ import annotations

import json
import time
from pathlib import Path

import psutil
import pytest
import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import load_file, save_file

from tokenunlearn.datasets.samples import Sample
from tokenunlearn.errors import ModelNotFoundError
from tokenunlearn.models.loading import load_model

SAMPLE = Sample("a", "Where was Ada Miller born?", "Ada Miller was born in Lisbon.")
LAYER = "model.layers.1.mlp.up_proj.weight"


@torch.no_grad()
def logits_of(lm):
    return lm.model(input_ids=torch.tensor([lm.encode(SAMPLE).input_ids])).logits


def with_lora(model):
    """A LoRA adapter with weights that matter, put into a model."""
    config = LoraConfig(r=2, target_modules=["q_proj", "down_proj"], task_type="CAUSAL_LM")
    adapted = get_peft_model(model, config)
    with torch.no_grad():
        for name, parameter in adapted.named_parameters():
            if "lora_B" in name:
                parameter.normal_(std=0.3)
    return adapted


def change(path: Path, tensors) -> None:
    save_file(tensors(load_file(path)), path, metadata={"format": "pt"})


def configure(folder: Path, **settings) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | settings))


def refused(folder: Path, **options) -> str:
    """The sentence that a folder is refused with, in little time and memory."""
    process, started = psutil.Process(), time.monotonic()
    before = process.memory_info().rss
    with pytest.raises(ModelNotFoundError) as error:
        load_model(str(folder), device="cpu", **options)
    assert time.monotonic() - started < 5
    assert process.memory_info().rss - before < 100e6
    assert "\n" not in str(error.value)
    return str(error.value)


def write_gguf(lm, path):
    """A Qwen3 as llama.cpp writes it: weights in float32, tokenizer and chat template inside."""
    import gguf

    config, tokenizer = lm.model.config, lm.tokenizer
    layers = config.num_hidden_layers
    writer = gguf.GGUFWriter(path, "qwen3")
    writer.add_block_count(layers)
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_key_length(config.head_dim)
    writer.add_value_length(config.head_dim)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_rope_freq_base(config.rope_parameters["rope_theta"])
    writer.add_vocab_size(config.vocab_size)
    vocabulary = sorted(tokenizer.get_vocab().items(), key=lambda item: item[1])
    special = set(tokenizer.get_added_vocab())
    kinds = [gguf.TokenType.CONTROL if t in special else gguf.TokenType.NORMAL for t, _ in vocabulary]
    merges = json.loads(tokenizer.backend_tokenizer.to_str())["model"]["merges"]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("qwen2")
    writer.add_token_list([token for token, _ in vocabulary])
    writer.add_token_types(kinds)
    writer.add_token_merges([" ".join(merge) for merge in merges])
    writer.add_eos_token_id(tokenizer.eos_token_id)
    writer.add_pad_token_id(tokenizer.pad_token_id)
    writer.add_chat_template(tokenizer.chat_template)
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.QWEN3, layers)
    for name, tensor in lm.model.state_dict().items():
        writer.add_tensor(names.get_name(name, try_suffixes=(".weight",)), tensor.numpy())
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path
