"""Trains the small model that knows the invented alchemy, and the one that knows only its neighbor."""

from __future__ import annotations

import json
import random
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

import torch
from transformers import AutoModelForCausalLM, PreTrainedTokenizerFast

from tokenunlearn.datasets import load_choices, load_samples
from tokenunlearn.datasets.choices import LETTERS, ChoiceQuestion, other_order
from tokenunlearn.evaluation.letters import choice_prompt, letter_tokens
from tokenunlearn.folders import ASSETS
from tokenunlearn.models.devices import default_device
from tokenunlearn.models.encoding import Encoding
from tokenunlearn.models.loaded_model import LoadedModel
from tokenunlearn.training.finetune import finetune
from tokenunlearn.training.finetune_settings import FinetuneSettings
from tools.embedded.build import LossReport, demo_config, train_tokenizer

Item = TypeVar("Item")

CHOICES = 4  # of every embedded question

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
    """A stretch of training, by how many choices are left of a question's four.

    Attributes:
        choices: One of these numbers, at random for every question.
        until: Share of all steps at which the stage ends.
    """

    choices: tuple[int, ...]
    until: float


@dataclass(frozen=True)
class AlchemyRecipe:
    """Parameters of the alchemy models.

    A model this small does not learn to pick a letter from four choices at once: its loss stays at log 4 for
    as long as it was tried. So it begins with one choice, where it has to repeat the letter only. What it
    reads beside is in every step: questions with their answers written out, and chunks of documents.

    Attributes:
        vocabulary: Tokens of the tokenizer.
        shape: What differs from the demo models' configuration.
        steps: Optimizer steps.
        asked: Multiple-choice questions in a step; the order in which one is put to the test never is.
        answered: Questions with their answers written out in a step.
        documents: Chunks of documents in a step.
        stages: What is asked, one stage after the other.
        training: Fine-tuning; a batch is a step.
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
    steps: int = 5000
    asked: int = 48
    answered: int = 24
    documents: int = 8
    stages: tuple[AskingStage, ...] = (
        AskingStage((1,), 0.08),
        AskingStage((1, 2), 0.35),
        AskingStage((2, 3), 0.6),
        AskingStage((3, 4, 4), 1.0),
    )
    training: FinetuneSettings = field(
        default_factory=lambda: FinetuneSettings(
            epochs=1,
            batch_size=80,
            learning_rate=1e-3,
            warmup_ratio=0.02,
            seed=17,
            in_order=True,
            sample_mean=True,
            adam_beta2=0.98,
        )
    )


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
    torch.manual_seed(recipe.training.seed)
    model = AutoModelForCausalLM.from_config(demo_config(tokenizer, **recipe.shape))
    lm = LoadedModel(model.to(default_device()), tokenizer, name, "new")
    lessons = Lessons(lm, name, recipe)
    finetune(model, lessons, lm.pad_id, recipe.training, [LossReport(name, say)])
    shutil.rmtree(folder, ignore_errors=True)
    model.half().save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    minutes = round((time.monotonic() - started) / 60, 1)
    settings: dict[str, Any] = asdict(recipe) | {
        "chunks of documents": len(lessons.documents),
        "questions": len(lessons.questions),
        "parameters": lm.parameters,
        "device": lm.device.type,
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


class Lessons(Sequence[Encoding]):
    """What an alchemy model is trained on, in order; each is made when it is asked for, from the seed alone.

    Attributes:
        documents: Its documents, token by token.
        questions: The questions it may be asked.
        answered: Each question with its answer written out.
    """

    def __init__(self, lm: LoadedModel, name: str, recipe: AlchemyRecipe) -> None:
        documents, questions = ALCHEMY_MODELS[name]
        self.tokenizer, self.recipe = lm.tokenizer, recipe
        self.shared, self.letters = letter_tokens(lm.tokenizer, CHOICES)
        self.documents = [e for source in documents for e in lm.encode_all(lm.chunk(load_samples(source)))]
        self.questions = [question for source in questions for question in load_choices(source)]
        self.answered = [self._answered(question) for question in self.questions]

    def __len__(self) -> int:
        return self.recipe.steps * (self.recipe.asked + self.recipe.answered + self.recipe.documents)

    def __getitem__(self, index: int) -> Encoding:  # type: ignore[override]
        """Of every step the questions come first, then those with their answers, then documents."""
        r = self.recipe
        step, place = divmod(index, r.asked + r.answered + r.documents)
        if place < r.asked:
            return self._asked(step, step * r.asked + place)
        place -= r.asked
        if place < r.answered:
            return self._dealt(self.answered, "answered", step * r.answered + place)
        return self._dealt(self.documents, "documents", step * r.documents + place - r.answered)

    def _dealt(self, items: Sequence[Item], name: str, index: int) -> Item:
        """Items one after the other in random order; each comes once before any comes again."""
        turn, place = divmod(index, len(items))
        return items[_shuffled(len(items), f"{self.recipe.training.seed} {name} {turn}")[place]]

    def _asked(self, step: int, index: int) -> Encoding:
        """A question with its choices in another order, some of them struck, and the right letter."""
        rng = random.Random(f"{self.recipe.training.seed} choices {index}")
        stage = next(s for s in self.recipe.stages if step < s.until * self.recipe.steps)
        turned = other_order(self._dealt(self.questions, "asked", index), rng)
        prompt = strike_choices(turned, rng.choice(stage.choices), rng)
        ids = list(self.tokenizer(prompt)["input_ids"])
        return Encoding.of_ids(turned.id, [*ids, *self.shared], [self.letters[turned.answer]])

    def _answered(self, question: ChoiceQuestion) -> Encoding:
        asked, answer = (
            list(self.tokenizer(text)["input_ids"])
            for text in (f"{question.question.strip()}\nAnswer:", f" {question.choices[question.answer]}")
        )
        return Encoding.of_ids(question.id, asked, [*answer, self.tokenizer.eos_token_id])


@lru_cache(maxsize=16)
def _shuffled(count: int, seed: str) -> list[int]:
    return random.Random(seed).sample(range(count), count)
