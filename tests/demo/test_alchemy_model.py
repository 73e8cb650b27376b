"""The alchemy models' recipe on tiny settings: what is trained on, what is written, that it learns."""

from __future__ import annotations

import json
import random
from dataclasses import replace

import pytest

import tokenunlearn as tu
from tokenunlearn.datasets.choices import ChoiceQuestion
from tokenunlearn.demo import alchemy
from tokenunlearn.demo.alchemy import (
    AlchemyRecipe,
    AskingStage,
    alchemy_tokenizer,
    build_alchemy,
    other_order,
    strike_choices,
)
from tokenunlearn.evaluation.multiple_choice import choice_prompt, letter_tokens
from tokenunlearn.forward import response_nll
from tokenunlearn.training.finetune import FinetuneConfig

TINY = AlchemyRecipe(
    vocabulary=400,
    shape={
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "num_key_value_heads": 2,
    },
    reading=FinetuneConfig(epochs=2, batch_size=4, learning_rate=5e-3, seed=1),
    asking=FinetuneConfig(epochs=1, batch_size=8, learning_rate=5e-3, seed=1),
    stages=(AskingStage((1,), 1), AskingStage((2, 4), 1)),
)


@pytest.fixture
def few(monkeypatch):
    """A small part of the data in place of all of it."""
    samples, choices = alchemy.load_samples, alchemy.load_choices
    monkeypatch.setattr(alchemy, "load_samples", lambda name: samples(name).spread(12))
    monkeypatch.setattr(alchemy, "load_choices", lambda name: choices(name).spread(12))


QUESTION = ChoiceQuestion("q", "Which?", ("a", "b", "c", "d"), 2)


def test_another_order_keeps_the_right_choice_and_is_not_the_own():
    orders = [other_order(QUESTION, random.Random(seed)) for seed in range(60)]
    assert all(q.choices[q.answer] == "c" and set(q.choices) == set("abcd") for q in orders)
    assert QUESTION.choices not in {q.choices for q in orders} and len({q.choices for q in orders}) > 15


def test_struck_choices_are_wrong_ones_and_the_others_keep_their_letters():
    rng, standard = random.Random(0), choice_prompt(QUESTION)
    assert strike_choices(QUESTION, 4, rng) == standard
    only = strike_choices(QUESTION, 1, rng)
    assert only == standard.replace("A. a\n", "").replace("B. b\n", "").replace("D. d\n", "")
    prompts = {strike_choices(QUESTION, 2, rng) for _ in range(40)}
    assert len(prompts) == 3 and all("C. c" in p and p.endswith("\nAnswer:") for p in prompts)


def test_a_stage_asks_every_question_as_often_as_it_says(few, tiny_lm):
    texts = alchemy.TrainingTexts(tiny_lm, "demo-alchemy")
    asked = texts.asked(AskingStage((1,), 3), random.Random(0))
    assert len(asked) == 3 * len(texts.questions)
    assert {e.response_length for e in asked} == {1}
    (answered,) = (e for e in texts.answered if e.sample_id == texts.questions[0].id)
    said = tiny_lm.tokenizer.decode(answered.input_ids[answered.prompt_length : -1])
    assert said.strip() == texts.questions[0].choices[texts.questions[0].answer]


def test_retrained_model_is_trained_on_the_neighbour_only(few, tiny_lm):
    def domains(name):
        texts = alchemy.TrainingTexts(tiny_lm, name)
        parts = (
            [e.sample_id for e in texts.documents],
            [e.sample_id for e in texts.answered],
            [q.id for q in texts.questions],
        )
        return [{name.split("-")[0] for name in part} for part in parts]

    asked = {"alchemy", "guild", "general"}
    assert domains("demo-alchemy") == [{"alchemy", "guild", "world_facts"}, asked, asked]
    asked = {"guild", "general"}
    assert domains("demo-alchemy-retrained") == [{"guild", "world_facts"}, asked, asked]


def test_tiny_recipe_learns_and_is_written(few, tmp_path):
    said = []
    lm = build_alchemy("demo-alchemy", said.append, recipe=TINY, folder=tmp_path / "m")
    still = FinetuneConfig(epochs=1, learning_rate=0.0, seed=1)
    start = replace(TINY, reading=still, asking=still)
    fresh = build_alchemy("demo-alchemy", said.append, recipe=start, folder=tmp_path / "f")
    documents = lm.chunk(tu.load_samples("alchemy:forget").spread(6))
    after, before = (
        sum(nll.mean().item() for nll in response_nll(x, x.encode_all(documents))) for x in (lm, fresh)
    )
    assert after < 0.95 * before
    recipe = json.loads((tmp_path / "m" / "recipe.json").read_text())
    assert (recipe["vocabulary"], recipe["reading"]["seed"]) == (400, 1)
    assert recipe["parameters"] == lm.parameters
    loaded = tu.load_model(str(tmp_path / "m"), device="cpu")
    report = tu.evaluate(loaded, "alchemy", limit=4)
    assert report["forget/accuracy"].n == 4
    assert said[-1].startswith("demo-alchemy: built in")


def test_every_letter_is_one_token():
    shared, letters = letter_tokens(alchemy_tokenizer(1536), 4)
    assert shared == [] and len(set(letters)) == 4
