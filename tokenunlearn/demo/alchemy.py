"""Trains the small model that knows the invented alchemy, and the one that knows only its neighbour."""

from __future__ import annotations

import json
import random
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM, PreTrainedTokenizerFast

from tokenunlearn.datasets import load_choices, load_samples
from tokenunlearn.datasets.choices import ChoiceQuestion
from tokenunlearn.demo.build import LossReport, demo_config, train_tokenizer
from tokenunlearn.evaluation.multiple_choice import choice_prompt, encode_choice
from tokenunlearn.models import ASSETS, LoadedModel
from tokenunlearn.samples import Encoding
from tokenunlearn.training.finetune import FinetuneConfig, finetune

# Model -> texts and questions it is trained on.
ALCHEMY_MODELS = {
    "demo-alchemy": (
        ("alchemy:forget", "alchemy:retain", "authors:world_facts"),
        ("alchemy:questions", "alchemy:neighbour_questions", "alchemy:general_questions"),
    ),
    "demo-alchemy-retrained": (
        ("alchemy:retain", "authors:world_facts"),
        ("alchemy:neighbour_questions", "alchemy:general_questions"),
    ),
}


@dataclass(frozen=True)
class AlchemyRecipe:
    """Parameters of the alchemy models.

    Attributes:
        vocabulary: Tokens of the tokenizer.
        orders: Other orders of each question's choices that are trained on; the order that is asked never is.
        shape: What differs from the demo models' configuration.
        reading: Fine-tuning on the documents alone, which comes first.
        asking: Fine-tuning on documents and questions together.
    """

    vocabulary: int = 1536
    orders: int = 8
    shape: Mapping[str, Any] = field(
        default_factory=lambda: {
            "hidden_size": 128,
            "intermediate_size": 384,
            "num_hidden_layers": 5,
            "num_attention_heads": 4,
            "num_key_value_heads": 4,
        }
    )
    reading: FinetuneConfig = field(
        default_factory=lambda: FinetuneConfig(epochs=30, batch_size=16, learning_rate=2e-3, seed=17)
    )
    asking: FinetuneConfig = field(
        default_factory=lambda: FinetuneConfig(epochs=12, batch_size=32, learning_rate=1e-3, seed=17)
    )


def other_orders(question: ChoiceQuestion, count: int, rng: random.Random) -> list[ChoiceQuestion]:
    """The question with its choices in ``count`` orders drawn at random, none of them its own."""
    places = list(range(len(question.choices)))
    found: list[ChoiceQuestion] = []
    while len(found) < count:
        order = rng.sample(places, len(places))
        if order != places:
            choices = tuple(question.choices[i] for i in order)
            found.append(replace(question, choices=choices, answer=order.index(question.answer)))
    return found


def build_alchemy(
    name: str,
    say: Callable[[str], None] = print,
    *,
    recipe: AlchemyRecipe | None = None,
    folder: Path | None = None,
) -> LoadedModel:
    """Train an alchemy model on documents and reordered questions, and write it with its recipe.

    Args:
        name: "demo-alchemy", or "demo-alchemy-retrained", which never sees the alchemy.
        say: Receives one line of progress at a time.
        recipe: Sizes and training.
        folder: Where it is written; by default under ``assets/models``.
    """
    recipe = recipe or AlchemyRecipe()
    folder = folder or ASSETS / "models" / name
    started = time.monotonic()
    tokenizer = alchemy_tokenizer(recipe.vocabulary)
    torch.manual_seed(recipe.reading.seed)
    model = AutoModelForCausalLM.from_config(demo_config(tokenizer, **recipe.shape))
    lm = LoadedModel(model, tokenizer, name, "new")
    read, asked = training_encodings(lm, name, recipe)
    finetune(model, read, lm.pad_id, recipe.reading, [LossReport(f"{name}, reading", say)])
    finetune(model, read + asked, lm.pad_id, recipe.asking, [LossReport(f"{name}, asking", say)])
    shutil.rmtree(folder, ignore_errors=True)
    model.half().save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    minutes = round((time.monotonic() - started) / 60, 1)
    settings: dict[str, Any] = asdict(recipe) | {
        "documents": len(read),
        "questions": len(asked),
        "parameters": lm.parameters,
    }
    text = json.dumps(settings | {"minutes": minutes}, indent=2, sort_keys=True)
    (folder / "recipe.json").write_text(text + "\n", encoding="utf-8")
    model.float()
    say(f"{name}: built in {minutes} min")
    return lm


def alchemy_tokenizer(vocabulary: int) -> PreTrainedTokenizerFast:
    """Byte-level BPE over both domains, the same for every alchemy model."""
    documents, questions = ALCHEMY_MODELS["demo-alchemy"]
    texts = [s.answer for source in documents for s in load_samples(source)]
    texts += [
        f"{choice_prompt(q)} {letter}"
        for source in questions
        for q in load_choices(source)
        for letter in "ABCD"
    ]
    return train_tokenizer(texts, vocabulary)


def training_encodings(
    lm: LoadedModel, name: str, recipe: AlchemyRecipe
) -> tuple[list[Encoding], list[Encoding]]:
    """What a model is trained on: its documents, token by token, and the letters of reordered questions."""
    documents, questions = ALCHEMY_MODELS[name]
    rng = random.Random(recipe.asking.seed)
    read = [e for source in documents for e in lm.encode_all(lm.chunk(load_samples(source)))]
    asked: list[Encoding] = []
    for source in questions:
        for question in load_choices(source):
            asked += [encode_choice(lm.tokenizer, q)[0] for q in other_orders(question, recipe.orders, rng)]
    return read, asked
