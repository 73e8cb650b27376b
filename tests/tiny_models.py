"""Small random models over one tokenizer."""

from __future__ import annotations

from tokenunlearn.models.loaded_model import LoadedModel

TEXTS = (
    "Where was Ada Miller born? Ada Miller was born in Lisbon, the old harbour town.",
    "Which prize did the author Bram Holt win? Bram Holt won the Silver Pen for his second novel.",
    "In which town does Chiara Bianchi live? The author Chiara Bianchi has lived in Turin for years.",
    "Wo wurde die Autorin geboren? Sie wurde in Zürich geboren und schreibt über das Café.",
)


def build_tokenizer():
    """Byte-level BPE of about a hundred merges, with the demo models' special tokens and chat template."""
    from tools.embedded.build import train_tokenizer

    return train_tokenizer(TEXTS, 360)


def build_lm(family: str, tokenizer, **changes) -> LoadedModel:
    """A random 2-layer model of a family; its weights are large enough for masking and padding to show."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    torch.set_num_threads(1)  # models this small run many times slower on several
    settings = {
        "vocab_size": len(tokenizer),
        "hidden_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "max_position_embeddings": 256,
        "initializer_range": 0.15,
        "bos_token_id": None,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
    }
    if family == "opt":
        settings |= {"ffn_dim": 64, "word_embed_proj_dim": 32, "init_std": 0.15, "dropout": 0.0}
    elif family not in ("gpt2", "falcon"):
        settings |= {"intermediate_size": 64, "num_key_value_heads": 2, "head_dim": 8}
    if family == "gemma2":
        settings |= {"final_logit_softcapping": 2.0, "query_pre_attn_scalar": 8}
    if family == "gemma3_text":
        settings |= {
            "sliding_window": 12,
            "layer_types": ["sliding_attention", "full_attention"],
            "query_pre_attn_scalar": 8,
        }
    settings |= changes
    with torch.random.fork_rng():
        torch.manual_seed(11)
        model = AutoModelForCausalLM.from_config(AutoConfig.for_model(family, **settings))
    return LoadedModel(model.eval(), tokenizer, f"tiny-{family}", "0" * 16)
