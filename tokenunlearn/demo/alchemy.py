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
from tokenunlearn.datasets.choices import LETTERS, ChoiceQuestion
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
class AskingStage:
    """A stretch of training on questions.

    Attributes:
        choices: How many choices are left of a question's four; one of these numbers at random.
        rounds: Times that every question is asked, each time in another order and with other choices left.
    """

    choices: tuple[int, ...]
    rounds: int


@dataclass(frozen=True)
class AlchemyRecipe:
    """Parameters of the alchemy models.

    A model this small does not learn to pick a letter from four choices at once: its loss stays at log 4 for
    as long as it was tried. So it begins with one choice, where it has to repeat the letter only. The stages
    as they stand are not enough: asked with four choices the model still guesses, see docs/data.md.

    Attributes:
        vocabulary: Tokens of the tokenizer.
        shape: What differs from the demo models' configuration.
        reading: Fine-tuning on documents and on questions with their answers written out, which comes first.
        asking: Fine-tuning of every stage.
        stages: What is asked; the order in which a question is put to the test never is.
        rounds_a_reading: Rounds of a stage between two readings of all documents.
    """

    vocabulary: int = 1536
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
        default_factory=lambda: FinetuneConfig(epochs=1, batch_size=48, learning_rate=1e-3, seed=17)
    )
    stages: tuple[AskingStage, ...] = (
        AskingStage((1,), 16),
        AskingStage((1, 2), 64),
        AskingStage((2, 3), 64),
        AskingStage((3, 4, 4), 120),
    )
    rounds_a_reading: int = 8


def other_order(question: ChoiceQuestion, rng: random.Random) -> ChoiceQuestion:
    """The question with its choices in an order drawn at random, which is not its own."""
    places = list(range(len(question.choices)))
    order = places
    while order == places:
        order = rng.sample(places, len(places))
    choices = tuple(question.choices[i] for i in order)
    return replace(question, choices=choices, answer=order.index(question.answer))


def strike_choices(question: ChoiceQuestion, left: int, rng: random.Random) -> str:
    """The standard prompt with so many choices left, the right one among them, under their own letters."""
    wrong = [i for i in range(len(question.choices)) if i != question.answer]
    struck = {f"{LETTERS[i]}. {question.choices[i]}" for i in rng.sample(wrong, len(question.choices) - left)}
    return "\n".join(line for line in choice_prompt(question).splitlines() if line not in struck)


def build_alchemy(
    name: str,
    say: Callable[[str], None] = print,
    *,
    recipe: AlchemyRecipe | None = None,
    folder: Path | None = None,
) -> LoadedModel:
    """Train an alchemy model on documents and questions, and write it with its recipe.

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
    texts = TrainingTexts(lm, name)
    read = texts.documents + texts.answered
    finetune(model, read, lm.pad_id, recipe.reading, [LossReport(f"{name}, reading", say)])
    rng = random.Random(recipe.asking.seed)
    for stage in recipe.stages:
        report = LossReport(f"{name}, {' or '.join(map(str, sorted({*stage.choices})))} choices", say)
        asked = read * -(-stage.rounds // recipe.rounds_a_reading) + texts.asked(stage, rng)
        finetune(model, asked, lm.pad_id, recipe.asking, [report])
    shutil.rmtree(folder, ignore_errors=True)
    model.half().save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    minutes = round((time.monotonic() - started) / 60, 1)
    settings: dict[str, Any] = asdict(recipe) | {
        "documents": len(texts.documents),
        "questions": len(texts.questions),
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


class TrainingTexts:
    """What an alchemy model is trained on.

    Attributes:
        documents: Its documents, token by token.
        questions: The questions it may be asked.
        answered: Each question with its answer written out.
    """

    def __init__(self, lm: LoadedModel, name: str) -> None:
        documents, questions = ALCHEMY_MODELS[name]
        self.tokenizer = lm.tokenizer
        self.documents = [e for source in documents for e in lm.encode_all(lm.chunk(load_samples(source)))]
        self.questions = [question for source in questions for question in load_choices(source)]
        self.answered = [self._answered(question) for question in self.questions]

    def _answered(self, question: ChoiceQuestion) -> Encoding:
        asked, answer = (
            list(self.tokenizer(text)["input_ids"])
            for text in (f"{question.question.strip()}\nAnswer:", f" {question.choices[question.answer]}")
        )
        return Encoding.of_ids(question.id, asked, [*answer, self.tokenizer.eos_token_id])

    def asked(self, stage: AskingStage, rng: random.Random) -> list[Encoding]:
        """Every question as often as a stage asks it, with the right letter as its response."""
        found = []
        for question in self.questions * stage.rounds:
            turned = other_order(question, rng)
            prompt = strike_choices(turned, rng.choice(stage.choices), rng)
            found.append(encode_choice(self.tokenizer, turned, prompt)[0])
        return found
