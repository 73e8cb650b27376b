"""Small random models over one tokenizer, and the folder of public data sets, for every test."""

from __future__ import annotations

import copy
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings

from tokenunlearn.models.loaded_model import LoadedModel

ROOT = Path(__file__).resolve().parent.parent
os.environ["TOKENUNLEARN_DATA"] = str(ROOT / os.environ.get("TOKENUNLEARN_DATA", "../shared/data"))
# HYPOTHESIS_PROFILE=thorough draws 10,000 examples of each property, new ones every time.
hypothesis_settings.register_profile(
    "fast", max_examples=200, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck)
)
hypothesis_settings.register_profile(
    "thorough", max_examples=10_000, deadline=None, suppress_health_check=list(HealthCheck)
)
hypothesis_settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "fast"))
TEXTS = (
    "Where was Ada Miller born? Ada Miller was born in Lisbon, the old harbour town.",
    "Which prize did the author Bram Holt win? Bram Holt won the Silver Pen for his second novel.",
    "In which town does Chiara Bianchi live? The author Chiara Bianchi has lived in Turin for years.",
    "Wo wurde die Autorin geboren? Sie wurde in Zürich geboren und schreibt über das Café.",
)
FAMILIES = ("llama", "qwen3", "gemma2", "gemma3_text", "gpt_neox", "gpt2", "opt")


def build_tokenizer():
    """Byte-level BPE of about a hundred merges, with the demo models' special tokens and chat template."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    from tools.embedded.build import CHAT_TEMPLATE, SPECIAL_TOKENS

    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    bpe.train_from_iterator(
        TEXTS,
        trainers.BpeTrainer(
            vocab_size=360, special_tokens=SPECIAL_TOKENS, initial_alphabet=alphabet, show_progress=False
        ),
    )
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=bpe,
        pad_token="<|pad|>",
        eos_token="<|end|>",
        mask_token="<|mask|>",
        additional_special_tokens=["<|system|>", "<|user|>", "<|assistant|>"],
        clean_up_tokenization_spaces=False,
    )
    tokenizer.chat_template = CHAT_TEMPLATE
    return tokenizer


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


@pytest.fixture(scope="session")
def tiny_tokenizer():
    """The tokenizer every small model shares."""
    return build_tokenizer()


@pytest.fixture(scope="session")
def family_lm(tiny_tokenizer) -> Callable[..., LoadedModel]:
    """Small random models by family and changed settings, each built once; not to be trained in place."""
    built: dict[str, LoadedModel] = {}

    def lm(family: str, **changes) -> LoadedModel:
        key = f"{family} {sorted(changes.items())}"
        if key not in built:
            built[key] = build_lm(family, tiny_tokenizer, **changes)
        return built[key]

    return lm


FAST_FAMILIES = ("llama", "gpt2")


@pytest.fixture(
    scope="session",
    params=[pytest.param(f, marks=() if f in FAST_FAMILIES else pytest.mark.slow) for f in FAMILIES],
)
def family(request) -> str:
    """Each family of models in turn."""
    return request.param


@pytest.fixture(scope="session")
def tiny_lm(family_lm) -> LoadedModel:
    """A random 2-layer Llama with a byte-level BPE tokenizer; not to be trained in place."""
    return family_lm("llama")


@pytest.fixture
def plain_lm(tiny_lm) -> LoadedModel:
    """The same model with a tokenizer that has no chat template."""
    tokenizer = copy.deepcopy(tiny_lm.tokenizer)
    tokenizer.chat_template = None
    return LoadedModel(tiny_lm.model, tokenizer, tiny_lm.name, tiny_lm.revision)


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """The folder of public data sets (TOKENUNLEARN_DATA); tests that read it are skipped without it."""
    folder = Path(os.environ["TOKENUNLEARN_DATA"])
    if not folder.is_dir():
        pytest.skip(f"the public data sets are not at {folder}; set TOKENUNLEARN_DATA to their folder")
    return folder


class Called(NamedTuple):
    code: int
    out: str
    err: str

    @property
    def json(self):
        def refuse(constant):
            raise AssertionError(f"{constant} is no JSON")

        return json.loads(self.out, parse_constant=refuse)

    @property
    def sentence(self):
        """The error's one line; progress bars may stand before it."""
        (line,) = [line for line in self.err.splitlines() if line.startswith("Error:")]
        return line


@pytest.fixture
def call(monkeypatch, capsys):
    """Calls the command line, or ``app`` in its place, with words, as a shell does."""
    from tokenunlearn import cli

    def called(*words, app=cli.app) -> Called:
        monkeypatch.setattr(sys, "argv", ["tokenunlearn", *map(str, words)])
        capsys.readouterr()
        try:
            cli.main(app)
            code = 0
        except SystemExit as ended:
            code = int(ended.code or 0)
        return Called(code, *capsys.readouterr())

    return called
