"""Small random models of many architectures, and what each of them must do."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from torch import Tensor

from tests.tiny_models import build_lm
from tokenunlearn.attribution.masking import measure_masking
from tokenunlearn.attribution.masking_engine import mask_id
from tokenunlearn.attribution.masking_settings import MaskingSettings
from tokenunlearn.datasets.samples import Sample, SampleSet
from tokenunlearn.models.encoding import Encoding
from tokenunlearn.models.forward import response_nll
from tokenunlearn.models.generation import generate
from tokenunlearn.models.loaded_model import LoadedModel
from tokenunlearn.models.loading import load_model
from tokenunlearn.training.unlearn import Unlearned, unlearn

EXPERTS = {"num_experts": 4, "num_local_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 32}
WINDOW = {"sliding_window": 12}
STATES = {"state_size": 8, "initializer_range": 0.5}
ROTARY = {"rotary_dim": 4}
# Settings by model type, beside those of ``build_lm``.
ARCHITECTURES: dict[str, dict[str, object]] = {
    "llama": {},
    "qwen2": {},
    "qwen3": {},
    "qwen3_moe": EXPERTS,
    "qwen3_next": EXPERTS
    | {
        "linear_num_value_heads": 4,
        "linear_num_key_heads": 2,
        "linear_key_head_dim": 8,
        "linear_value_head_dim": 8,
        "shared_expert_intermediate_size": 32,
        "layer_types": ["linear_attention", "full_attention"],
    },
    "mistral": WINDOW,
    "mixtral": EXPERTS,
    "deepseek_v3": {
        "q_lora_rank": 16,
        "kv_lora_rank": 8,
        "qk_nope_head_dim": 8,
        "qk_rope_head_dim": 4,
        "v_head_dim": 8,
        "head_dim": 4,
        "num_key_value_heads": 4,
        "n_routed_experts": 4,
        "num_experts_per_tok": 2,
        "n_group": 1,
        "topk_group": 1,
        "moe_intermediate_size": 32,
        "first_k_dense_replace": 1,
    },
    "gpt_oss": EXPERTS | WINDOW,
    "gemma": {"initializer_range": 0.3},
    "gemma2": WINDOW | {"final_logit_softcapping": 2.0, "query_pre_attn_scalar": 8},
    "gemma3_text": WINDOW
    | {"layer_types": ["sliding_attention", "full_attention"], "query_pre_attn_scalar": 8},
    "recurrent_gemma": {
        "lru_width": 32,
        "attention_window_size": 12,
        "block_types": ["recurrent", "attention"],
        "logits_soft_cap": 2.0,
    },
    "phi": {},
    "phi3": WINDOW,
    "gpt2": {},
    "gpt_bigcode": {"n_inner": 64},
    "gpt_neo": {
        "num_layers": 2,
        "num_heads": 4,
        "attention_types": [[["global", "local"], 1]],
        "window_size": 12,
    },
    "gpt_neox": {},
    "gptj": ROTARY,
    "codegen": ROTARY | {"n_layer": 2, "n_head": 4, "n_ctx": 256, "n_positions": 256},
    "opt": {},
    "xglm": {"d_model": 32, "num_layers": 2, "attention_heads": 4, "ffn_dim": 64},
    "bloom": {"n_layer": 2, "n_head": 4},
    "falcon": {"alibi": True, "bias": True},
    "mpt": {"n_layers": 2, "n_heads": 4, "d_model": 32, "max_seq_len": 256},
    "stablelm": {},
    "starcoder2": WINDOW,
    "olmo": {},
    "olmo2": {},
    "olmoe": EXPERTS,
    "cohere": {"logit_scale": 0.25},
    "cohere2": WINDOW | {"logit_scale": 0.25},
    "granite": {"logits_scaling": 4.0},
    "smollm3": {},
    "nemotron": {},
    "lfm2": {"layer_types": ["conv", "full_attention"]},
    "falcon_h1": {"mamba_d_ssm": 32, "mamba_n_heads": 4, "mamba_d_head": 8, "mamba_d_state": 8},
    "mamba": STATES,
    "mamba2": {"state_size": 8, "num_heads": 8, "head_dim": 8, "n_groups": 1, "chunk_size": 16},
    "falcon_mamba": STATES,
    "rwkv": {"context_length": 256, "attention_hidden_size": 32},
    "xlstm": {
        "hidden_size": 64,
        "num_blocks": 2,
        "num_heads": 4,
        "qk_dim_factor": 1.0,
        "ffn_round_up_to_multiple_of": 16,
        "head_dim": None,
    },
}
SAMPLES = SampleSet(
    "samples",
    (
        Sample("a", "Where was Ada Miller born, and in which old town?", "Ada Miller was born in Lisbon."),
        Sample("b", "Who?", "Bram Holt, 1994."),
        Sample("c", "Which prize did Bram Holt win?", "The Silver Pen, for his second novel."),
    ),
)
TOLERANCE = 1e-4
STEP = {
    "collapse_guard": False,
    "steps": 1,
    "warmup_steps": 0,
    "batch_size": 2,
    "retain_batch_size": 2,
    "learning_rate": 1e-2,
}


def build(architecture: str, tokenizer) -> LoadedModel:
    """A small random model of an architecture."""
    return build_lm(architecture, tokenizer, **ARCHITECTURES[architecture])


@torch.no_grad()
def plain_nll(lm: LoadedModel, encoding: Encoding, masked: Sequence[int] = ()) -> Tensor:
    """Token NLL from one whole pass of the model over one sample, with positions masked, (T,)."""
    ids = torch.tensor([encoding.input_ids[: len(encoding)]])
    labels, visible = ids[0, encoding.prompt_length :, None].clone(), torch.ones_like(ids)
    if lm.ignores_mask:
        ids[0, list(masked)] = mask_id(lm)
    else:
        visible[0, list(masked)] = 0
    places = {}
    if "position_ids" in inspect.signature(lm.model.forward).parameters:
        places["position_ids"] = torch.arange(ids.shape[1])[None]
    logits = lm.model(input_ids=ids, attention_mask=visible, **places).logits[0]
    return -logits[encoding.prompt_length - 1 : -1].log_softmax(-1).gather(-1, labels)[:, 0]


def nll_of_all(lm: LoadedModel) -> Tensor:
    """Token NLL of every response, one after the other."""
    return torch.cat([plain_nll(lm, encoding) for encoding in lm.encode_all(SAMPLES)])


def likelihood(lm: LoadedModel, folder: Path) -> str:
    """Token NLL of a padded batch equals one sample at a time."""
    together = torch.cat(response_nll(lm, lm.encode_all(SAMPLES)))
    assert torch.allclose(together, nll_of_all(lm), atol=TOLERANCE)
    assert together.std() > 0.1
    return ""


def masking(lm: LoadedModel, folder: Path) -> str:
    """What masking costs equals two whole passes, and is not nothing."""
    largest = 0.0
    for mask in ("prompt", "leave-one-out"):
        encodings = lm.encode_all(SAMPLES)
        measured = measure_masking(lm, encodings, MaskingSettings(mask=mask))
        for encoding, masking_of in zip(encodings, measured, strict=True):
            whole = plain_nll(lm, encoding)
            for context, losses in zip(masking_of.contexts, masking_of.losses, strict=True):
                expected = plain_nll(lm, encoding, context.positions) - whole
                assert torch.allclose(torch.tensor(losses), expected, atol=TOLERANCE)
                largest = max(largest, expected.abs().max().item())
    assert largest > 0.01
    return "replaces tokens, as the attention mask has no effect" if lm.ignores_mask else ""


def lora(lm: LoadedModel, folder: Path) -> str:
    """A step on an adapter; what it leaves is loaded again."""
    run = _trained("lora", lm, folder)
    notes = [] if run.trained == ("all-linear",) else [f"on {', '.join(run.trained)}"]
    experts = [name for name, _ in run.model.model.named_parameters() if ".experts." in name]
    if experts and not any("lora_" in name for name in experts):
        notes.append("experts stay as they are")
    return "; ".join(notes)


def full(lm: LoadedModel, folder: Path) -> str:
    """A step on all weights; what it leaves is loaded again."""
    _trained("full", lm, folder)
    return ""


def _trained(train: str, lm: LoadedModel, folder: Path) -> Unlearned:
    lm.model.save_pretrained(folder)
    lm.tokenizer.save_pretrained(folder)
    run = unlearn(lm, SAMPLES, retain=SAMPLES, train=train, lora_r=4, **STEP)
    saved = run.save_adapter(folder / train)
    loaded = load_model(str(folder), adapter=saved, device="cpu", dtype="float32")
    trained = nll_of_all(run.model)
    assert (trained - nll_of_all(lm)).abs().max() > 0.01
    assert torch.allclose(nll_of_all(loaded), trained, atol=TOLERANCE)
    return run


def generation(lm: LoadedModel, folder: Path) -> str:
    """Answers of a batch are those of one question at a time."""
    questions = [*(sample.question for sample in SAMPLES), "Why?"]  # as long as another one
    together = generate(lm, questions, max_new_tokens=8)
    assert together == [generate(lm, [question], max_new_tokens=8)[0] for question in questions]
    assert len(set(together)) > 1
    return "one prompt at a time" if lm.ignores_mask else ""


CHECKS: dict[str, Callable[[LoadedModel, Path], str]] = {
    "likelihood": likelihood,
    "masking": masking,
    "LoRA": lora,
    "full training": full,
    "generation": generation,
}
