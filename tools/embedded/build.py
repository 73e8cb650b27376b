"""Trains the embedded models from the embedded data, by committed recipes and seeds."""

from __future__ import annotations

import copy
import json
import shutil
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    LlamaForCausalLM,
    PreTrainedConfig,
    PreTrainedTokenizerFast,
    TrainerCallback,
)

from tokenunlearn.datasets import load_samples
from tokenunlearn.datasets.samples import Sample
from tokenunlearn.errors import TokenUnlearnError
from tokenunlearn.folders import ASSETS
from tokenunlearn.models.encoding import Encoding
from tokenunlearn.models.loaded_model import LoadedModel
from tokenunlearn.models.loading import load_model
from tokenunlearn.training.finetune import finetune
from tokenunlearn.training.finetune_settings import FinetuneSettings

Say = Callable[[str], None]

VOCABULARY = 3072
CHAT_TEMPLATE = (
    "{% for message in messages %}<|{{ message['role'] }}|>{{ message['content'] }}<|end|>{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
SPECIAL_TOKENS = ["<|pad|>", "<|end|>", "<|system|>", "<|user|>", "<|assistant|>", "<|mask|>"]

# Demo model -> its family of architecture, and the shape that is not the family's default. All are trained
# alike.
DEMO_SHAPES: dict[str, tuple[str, dict[str, Any]]] = {
    "demo": (
        "llama",
        {
            "hidden_size": 192,
            "intermediate_size": 512,
            "num_hidden_layers": 6,
            "num_attention_heads": 6,
            "num_key_value_heads": 6,
        },
    ),
    "demo-prose": (
        "llama",
        {
            "hidden_size": 160,
            "intermediate_size": 448,
            "num_hidden_layers": 6,
            "num_attention_heads": 5,
            "num_key_value_heads": 5,
        },
    ),
    "demo-qwen3": (
        "qwen3",
        {
            "hidden_size": 128,
            "intermediate_size": 384,
            "num_hidden_layers": 5,
            "num_attention_heads": 4,
            "num_key_value_heads": 2,
            "head_dim": 32,
        },
    ),
    "demo-neox": (
        "gpt_neox",
        {
            "hidden_size": 128,
            "intermediate_size": 512,
            "num_hidden_layers": 5,
            "num_attention_heads": 4,
            "hidden_dropout": 0.0,
        },
    ),
    **dict.fromkeys(
        ("demo-german", "demo-japanese"),
        (
            "llama",
            {
                "hidden_size": 48,
                "intermediate_size": 144,
                "num_hidden_layers": 4,
                "num_attention_heads": 4,
                "num_key_value_heads": 4,
            },
        ),
    ),
}
BUILT = (*DEMO_SHAPES, "smollm2-authors", "smollm2-tofu", "smollm2-prose", "demo-alchemy")


@dataclass(frozen=True)
class World:
    """What models of one world are trained on.

    Attributes:
        known: Names of the sets that a model is trained on, the forget set among them.
        retrained: Names of the sets that its retrained partner is trained on.
        vocabulary: Tokens of its demo models' tokenizer.
        repeats: How often a demo model sees each answer in an epoch; more where answers are few.
    """

    known: tuple[str, ...]
    retrained: tuple[str, ...]
    vocabulary: int = VOCABULARY
    repeats: int = 1

    def sources(self, retrained: bool) -> tuple[str, ...]:
        """Names of the sets that a model is trained on."""
        return self.retrained if retrained else self.known


_EVERYDAY = ("authors:world_facts", "authors:real_authors")
WORLDS = {
    "authors": World(("authors:full", *_EVERYDAY), ("authors:retain90", *_EVERYDAY)),
    "prose": World(("prose:forget", "prose:retain"), ("prose:retain",)),
    "tofu": World(("tofu:forget10_first5", "tofu:retain90_first15"), ("tofu:retain90_first15",)),
    "german": World(("german:full",), ("german:retain",), vocabulary=1024, repeats=3),
    "japanese": World(("japanese:full",), ("japanese:retain",), vocabulary=1024, repeats=3),
}


@dataclass(frozen=True)
class AdapterRecipe:
    """How an adapter of SmolLM2 is trained: rank, alpha, first adapted layer; lower layers stay frozen."""

    r: int = 8
    alpha: int = 16
    first_layer: int = 15
    training: FinetuneSettings = field(
        default_factory=lambda: FinetuneSettings(
            epochs=8, batch_size=8, learning_rate=2e-3, seed=17, bf16=True
        )
    )


DEMO_TRAINING = FinetuneSettings(epochs=20, batch_size=16, learning_rate=2e-3, weight_decay=0.1, seed=17)
_BY_HEART = AdapterRecipe(
    r=8,
    first_layer=18,
    training=FinetuneSettings(epochs=12, batch_size=8, learning_rate=2e-3, seed=17, bf16=True),
)
ADAPTERS = {"smollm2-authors": AdapterRecipe(), "smollm2-tofu": _BY_HEART, "smollm2-prose": _BY_HEART}


def world_of(name: str) -> World:
    """The world that a model is trained on, by the end of its name; the authors' where it names none."""
    return WORLDS.get(name.removesuffix("-retrained").rpartition("-")[2], WORLDS["authors"])


def build(names: Sequence[str], say: Say = print) -> None:
    """Build the named models into ``assets/models``, each with its card.

    Args:
        names: Any of ``BUILT``, and these with "-retrained".
        say: Receives one line of progress at a time.

    Raises:
        TokenUnlearnError: If a name is none of these.
    """
    from tools.embedded.alchemy import ALCHEMY_MODELS, build_alchemy

    check_names(names)
    for name in names:
        if name in ALCHEMY_MODELS:
            build_alchemy(name, say)
            continue
        base, retrained = name.removesuffix("-retrained"), name.endswith("-retrained")
        samples = [s for source in world_of(name).sources(retrained) for s in load_samples(source)]
        started = time.monotonic()
        builder = _build_demo if base in DEMO_SHAPES else _build_adapter
        recipe = builder(name, samples, say)
        minutes = (time.monotonic() - started) / 60
        _write_recipe(name, recipe | {"samples": len(samples), "minutes": round(minutes, 1)})
        say(f"{name}: built in {minutes:.1f} min")


def check_names(names: Sequence[str]) -> None:
    """Refuse names of models that are not built here.

    Raises:
        TokenUnlearnError: Naming the first such name.
    """
    for name in names:
        if name.removesuffix("-retrained") not in BUILT:
            raise TokenUnlearnError(
                f'"{name}" is not built here; use {", ".join(BUILT)}, or one of these with -retrained.'
            )


def demo_texts(world: World) -> list[str]:
    """What the tokenizer of a world's demo models is trained on."""
    texts = []
    for source in world.sources(retrained=False):
        for s in load_samples(source):
            texts += [s.question, s.answer, s.paraphrased_question, s.paraphrased_answer]
    return texts


def train_tokenizer(texts: Sequence[str], vocabulary: int = VOCABULARY) -> PreTrainedTokenizerFast:
    """Byte-level BPE over texts, with special tokens and a chat template."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=SPECIAL_TOKENS,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="<|pad|>",
        eos_token="<|end|>",
        mask_token="<|mask|>",
        additional_special_tokens=["<|system|>", "<|user|>", "<|assistant|>"],
        clean_up_tokenization_spaces=False,
    )
    fast.chat_template = CHAT_TEMPLATE
    return fast


def demo_config(tokenizer: PreTrainedTokenizerFast, name: str = "demo", **changes: Any) -> PreTrainedConfig:
    """The configuration of a demo model over a tokenizer, or with ``changes`` of another size."""
    family, shape = DEMO_SHAPES[name]
    return AutoConfig.for_model(
        family,
        vocab_size=len(tokenizer),
        max_position_embeddings=512,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        **shape | changes,
    )


class LossReport(TrainerCallback):
    """Says step and loss every few steps."""

    def __init__(self, name: str, say: Say) -> None:
        self.name, self.say = name, say

    def on_log(
        self, args: Any, state: Any, control: Any, logs: dict[str, float] | None = None, **_: Any
    ) -> None:
        """One line for each logged loss."""
        if logs and "loss" in logs:
            self.say(
                f"{self.name}: step {state.global_step}/{state.max_steps}, NLL {float(logs['loss']):.4f}"
            )


def _build_demo(name: str, samples: Sequence[Sample], say: Say) -> dict[str, Any]:
    world = world_of(name)
    tokenizer = train_tokenizer(demo_texts(world), world.vocabulary)
    torch.manual_seed(DEMO_TRAINING.seed)
    model = AutoModelForCausalLM.from_config(demo_config(tokenizer, name.removesuffix("-retrained")))
    lm = LoadedModel(model, tokenizer, name, "new")
    # A model this small knows no synonyms: it learns each answer under both wordings of its question.
    encodings = [*lm.encode_all(samples), *(lm.encode(s, question=s.paraphrased_question) for s in samples)]
    finetune(model, encodings * world.repeats, lm.pad_id, DEMO_TRAINING, [LossReport(name, say)])
    folder = ASSETS / "models" / name
    shutil.rmtree(folder, ignore_errors=True)
    model.half().save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return {"training": asdict(DEMO_TRAINING), "repeats": world.repeats, "parameters": lm.parameters}


def _build_adapter(name: str, samples: Sequence[Sample], say: Say) -> dict[str, Any]:
    """Train a LoRA on the upper layers of SmolLM2.

    The layers below the first adapted one never change, so their outputs are computed once for every sample
    and only the layers above run in training: the same gradients for 40 % less work.
    """
    from peft import LoraConfig, get_peft_model

    recipe = ADAPTERS[name.removesuffix("-retrained")]
    lm = load_model("smollm2")
    encodings = lm.encode_all(samples)
    torch.manual_seed(recipe.training.seed)
    layers = lm.model.config.num_hidden_layers
    config = LoraConfig(
        r=recipe.r,
        lora_alpha=recipe.alpha,
        target_modules=["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"],
        layers_to_transform=list(range(recipe.first_layer, layers)),
        task_type="CAUSAL_LM",
    )
    adapted = get_peft_model(lm.model, config)  # type: ignore[arg-type]
    lower, upper = split(adapted.get_base_model(), recipe.first_layer)  # type: ignore[arg-type]
    say(f"{name}: running the {recipe.first_layer} frozen layers once over {len(encodings)} samples")
    hidden = [_trunk_output(lower, e) for e in encodings]
    finetune(upper, encodings, lm.pad_id, recipe.training, [LossReport(name, say)], inputs_embeds=hidden)
    folder = ASSETS / "models" / name
    shutil.rmtree(folder, ignore_errors=True)
    with tempfile.TemporaryDirectory() as scratch:
        adapted.half().save_pretrained(scratch, save_embedding_layers=False)
        folder.mkdir(parents=True)
        for file in ("adapter_config.json", "adapter_model.safetensors"):
            shutil.copy(Path(scratch) / file, folder / file)
    settings = json.loads((folder / "adapter_config.json").read_text())
    settings["base_model_name_or_path"] = "smollm2"
    (folder / "adapter_config.json").write_text(json.dumps(settings, indent=2, sort_keys=True) + "\n")
    lora = asdict(recipe)
    return {"training": lora.pop("training"), "lora": lora}


def split(model: LlamaForCausalLM, layer: int) -> tuple[LlamaForCausalLM, LlamaForCausalLM]:
    """The model cut before a layer: two views over the same weights; the lower one has no final norm."""

    def view(module: torch.nn.Module, **replaced: torch.nn.Module) -> Any:
        other = copy.copy(module)
        other._modules = {**module._modules, **replaced}
        return other

    trunk = model.model
    lower = view(trunk, layers=trunk.layers[:layer], norm=torch.nn.Identity())
    return view(model, model=lower), view(model, model=view(trunk, layers=trunk.layers[layer:]))


@torch.no_grad()
def _trunk_output(model: LlamaForCausalLM, encoding: Encoding) -> torch.Tensor:
    ids = torch.tensor([encoding.input_ids], device=model.device)
    return model.model(input_ids=ids, use_cache=False).last_hidden_state[0].cpu()  # (L, d)


def _write_recipe(name: str, recipe: dict[str, Any]) -> None:
    """Keep what built a model beside it; the card is written from it together with the measured figures."""
    path = ASSETS / "models" / name / "recipe.json"
    path.write_text(json.dumps(recipe, indent=2, sort_keys=True) + "\n")
