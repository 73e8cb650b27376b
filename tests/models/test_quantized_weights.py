"""Quantized weights load where the machine can run them; elsewhere one sentence names what is missing."""

from __future__ import annotations

import json

import pytest
import torch
from safetensors.torch import load_file, save_file

from tests.models.model_files import SAMPLE, configure, logits_of, refused, with_lora
from tokenunlearn import unlearn
from tokenunlearn.errors import RunError, TokenUnlearnError
from tokenunlearn.evaluation.attacks.battery import attack
from tokenunlearn.models import quantization
from tokenunlearn.models.fingerprint import weights_fingerprint
from tokenunlearn.models.loading import load_model
from tokenunlearn.models.quantization import is_quantized
from tokenunlearn.runs.export import _write_model
from tokenunlearn.training.finetune import finetune_model
from tokenunlearn.training.finetune_settings import RetrainSettings


@pytest.mark.parametrize("name", ["4bit", "8bit"])
def test_without_a_gpu_nothing_is_read(name, monkeypatch):
    monkeypatch.setattr("tokenunlearn.models.weight_files.safe_open", None)
    assert f"Quantization to {name} needs a GPU and bitsandbytes; there is no GPU" in refused(
        "demo", quantization=name
    )


def test_without_bitsandbytes(folder, monkeypatch):
    monkeypatch.setattr(quantization, "has_gpu", lambda _: True)
    monkeypatch.setattr(quantization, "find_spec", lambda _: None)
    assert "there is no package bitsandbytes here" in refused(folder, quantization="4bit")


def test_unknown_quantization(folder):
    assert 'Unknown quantization "2bit"; use 4bit or 8bit, or none' in refused(folder, quantization="2bit")


@pytest.mark.parametrize(
    ("config", "sentence"),
    [
        ({"quant_method": "gptq", "bits": 4}, "is quantized with gptq, which cannot run on this machine: "),
        ({"quant_method": "awq", "bits": 4}, "is quantized with awq, which cannot run on this machine: "),
        ({"quant_method": "hqq"}, "is quantized with hqq, which cannot run on this machine: "),
        ({"quant_method": "fbgemm_fp8"}, "is quantized with fbgemm_fp8, which cannot run on this machine: "),
        ({"quant_method": "bitsandbytes"}, "is quantized with bitsandbytes, which needs a GPU and"),
        ({"load_in_4bit": True}, "is quantized with bitsandbytes, which needs a GPU and"),
        ({"quant_method": "magic"}, 'quantization_config of the unknown method "magic"; transformers knows'),
        ({}, "quantization_config of the unknown method"),
        ("gptq", "quantization_config of the unknown method"),
    ],
)
@pytest.mark.parametrize("inside", [False, True])
def test_a_stored_quantization_is_checked_before_weights_are_read(
    folder, config, sentence, inside, monkeypatch
):
    monkeypatch.setattr("transformers.AutoModelForCausalLM.from_pretrained", None)
    configure(
        folder,
        **({"text_config": {"quantization_config": config}} if inside else {"quantization_config": config}),
    )
    assert sentence in refused(folder)


def test_fp8_weights_become_plain_ones_without_a_gpu(folder, tiny_lm):
    """As DeepSeek stores them: blocks of float8 with a scale each."""
    weights, linear = load_file(folder / "model.safetensors"), {}
    for name, weight in weights.items():
        if "_proj" in name:
            scale = weight.abs().max() / 448
            linear[name] = (weight / scale).to(torch.float8_e4m3fn)
            linear[f"{name}_scale_inv"] = scale.reshape(1, 1)
    save_file(weights | linear, folder / "model.safetensors", metadata={"format": "pt"})
    configure(folder, quantization_config={"quant_method": "fp8", "weight_block_size": [128, 128]})
    lm = load_model(str(folder), device="cpu")
    assert not is_quantized(lm.model) and {p.dtype for p in lm.model.parameters()} == {torch.float32}
    assert torch.allclose(logits_of(lm), logits_of(tiny_lm), atol=0.5)
    assert (logits_of(lm) - logits_of(tiny_lm)).abs().max() > 1e-3
    assert unlearn(lm, [SAMPLE], regularizer="none", train="full", steps=1).history


@pytest.fixture(params=["8bit", "4bit"])
def bits(request, monkeypatch):
    """Bits that bitsandbytes rounds to, on the CPU in place of a GPU."""
    modules = pytest.importorskip("bitsandbytes.nn.modules")
    # With this instruction set, layers of 4 bits are packed in a form that passes no gradients.
    monkeypatch.setattr(modules, "has_avx512bf16", lambda: False, raising=False)
    monkeypatch.setattr(quantization, "has_gpu", lambda _: True)
    return request.param


@pytest.fixture
def rounded(bits, folder):
    """A quantized model."""
    return load_model(str(folder), device="cpu", quantization=bits)


def test_a_quantized_model_predicts_nearly_the_same(rounded, bits, folder, tiny_lm):
    difference = (logits_of(rounded) - logits_of(tiny_lm)).abs().max()
    assert 1e-4 < difference < {"8bit": 0.5, "4bit": 3}[bits] and is_quantized(rounded.model)
    assert rounded.revision == f"{weights_fingerprint(folder)}-{bits}"
    assert rounded.parameters == tiny_lm.parameters


@pytest.mark.parametrize("share", [True, False])
def test_copies_of_quantized_models(rounded, share):
    copy = rounded.copy(share_weights=share)
    assert torch.equal(logits_of(copy), logits_of(rounded))
    pairs = zip(copy.model.parameters(), rounded.model.parameters(), strict=True)
    assert {a.data_ptr() == b.data_ptr() for a, b in pairs} == {share}


def test_an_adapter_over_quantized_weights_is_trained_saved_and_loaded(rounded, bits, folder, tmp_path):
    before = logits_of(rounded)
    run = unlearn(rounded, [SAMPLE], regularizer="none", steps=2)
    run.save_adapter(tmp_path / "run")
    assert run.config.train == "lora" and torch.equal(logits_of(rounded), before)
    assert not torch.allclose(logits_of(run.model), before, atol=1e-3)
    lm = load_model(str(folder), device="cpu", quantization=bits, adapter=tmp_path / "run")
    assert torch.allclose(logits_of(lm), logits_of(run.model), atol=1e-5)


def test_adapters_over_quantized_weights_are_not_rounded_and_add_up(rounded, bits, folder, tiny_lm, tmp_path):
    folders = [tmp_path / "first", tmp_path / "second"]
    for path in folders:
        with_lora(tiny_lm.copy(share_weights=False).model).save_pretrained(path)
    lm = load_model(str(folder), device="cpu", quantization=bits, adapter=folders)
    plain = load_model(str(folder), device="cpu", adapter=folders)
    rounding = (logits_of(rounded) - logits_of(tiny_lm)).abs().mean()
    assert (logits_of(lm) - logits_of(plain)).abs().mean() < 2 * rounding
    assert (logits_of(lm) - logits_of(rounded)).abs().max() > 1
    assert lm.revision == rounded.revision + "".join(f"+{weights_fingerprint(path)}" for path in folders)


def test_quantized_weights_are_not_trained(rounded):
    with pytest.raises(TokenUnlearnError, match="are quantized, so they cannot be trained"):
        unlearn(rounded, [SAMPLE], regularizer="none", train="full", steps=1)


def test_an_adapter_is_not_merged_into_quantized_weights(rounded, tmp_path):
    with pytest.raises(TokenUnlearnError, match="are quantized; load the model without quantization"):
        finetune_model(rounded, [SAMPLE], RetrainSettings())
    with pytest.raises(RunError, match="are quantized, so no adapter can be merged"):
        _write_model(rounded, tmp_path / "whole")


def test_a_method_that_passes_no_gradients_is_not_trained_over(rounded, monkeypatch):
    monkeypatch.setattr(type(rounded.model.hf_quantizer), "is_trainable", False)
    with pytest.raises(TokenUnlearnError, match="with bitsandbytes, which supports no training"):
        unlearn(rounded, [SAMPLE], regularizer="none", steps=1)


def test_attacks_on_quantized_models(rounded):
    from tokenunlearn.datasets.samples import Sample, SampleSet

    samples = SampleSet("two", (SAMPLE, Sample("b", "Who won?", "Bram Holt won.")))
    report = attack(rounded, samples, attacks=["quantization", "relearning"])
    assert "quantization: skipped, because the weights are quantized already." in report.notes
    assert any(name.startswith("relearning") for name in report.metrics)


def test_a_stored_quantized_model_is_loaded_and_not_quantized_again(rounded, tmp_path):
    rounded.model.save_pretrained(tmp_path / "stored")
    rounded.tokenizer.save_pretrained(tmp_path / "stored")
    config = json.loads((tmp_path / "stored" / "config.json").read_text())["quantization_config"]
    assert config["quant_method"] == "bitsandbytes"
    assert torch.equal(logits_of(load_model(str(tmp_path / "stored"), device="cpu")), logits_of(rounded))
    assert "is quantized already (bitsandbytes)" in refused(tmp_path / "stored", quantization="8bit")
