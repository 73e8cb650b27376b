"""The alchemy models' recipe on tiny settings: what is trained on, what is written, that it learns."""

from __future__ import annotations

import json
import random
from dataclasses import asdict, replace

import pytest

import tokenunlearn as tu
from tokenunlearn.datasets.choices import ChoiceQuestion
from tokenunlearn.evaluation import Report
from tokenunlearn.evaluation.letters import choice_prompt, letter_tokens
from tokenunlearn.folders import ASSETS
from tokenunlearn.models.forward import response_nll
from tokenunlearn.training.finetune_settings import FinetuneSettings
from tools.embedded import alchemy
from tools.embedded.alchemy import (
    AlchemyRecipe,
    AskingStage,
    alchemy_tokenizer,
    build_alchemy,
    strike_choices,
)

pytestmark = pytest.mark.slow

TINY = AlchemyRecipe(
    vocabulary=400,
    shape={
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "num_key_value_heads": 2,
    },
    steps=20,
    asked=4,
    answered=2,
    documents=6,
    stages=(AskingStage((1,), 0.5), AskingStage((2, 4), 1.0)),
    training=FinetuneSettings(
        epochs=1, batch_size=12, learning_rate=5e-3, seed=1, in_order=True, sample_mean=True
    ),
)


@pytest.fixture
def few(monkeypatch):
    """A small part of the data in place of all of it."""
    samples, choices = alchemy.load_samples, alchemy.load_choices
    monkeypatch.setattr(alchemy, "load_samples", lambda name: samples(name).spread(12))
    monkeypatch.setattr(alchemy, "load_choices", lambda name: choices(name).spread(12))


QUESTION = ChoiceQuestion("q", "Which?", ("a", "b", "c", "d"), 2)


def test_struck_choices_are_wrong_ones_and_the_others_keep_their_letters():
    rng, standard = random.Random(0), choice_prompt(QUESTION)
    assert strike_choices(QUESTION, 4, rng) == standard
    only = strike_choices(QUESTION, 1, rng)
    assert only == standard.replace("A. a\n", "").replace("B. b\n", "").replace("D. d\n", "")
    prompts = {strike_choices(QUESTION, 2, rng) for _ in range(40)}
    assert len(prompts) == 3 and all("C. c" in p and p.endswith("\nAnswer:") for p in prompts)


def test_a_step_holds_questions_by_stage_then_answers_then_documents(few, tiny_lm):
    lessons = alchemy.Lessons(tiny_lm, "demo-alchemy", TINY)
    assert len(lessons) == 20 * 12
    for step, left in ((0, {1}), (9, {1}), (10, {2, 4}), (19, {2, 4})):
        batch = [lessons[12 * step + place] for place in range(12)]
        choices = [
            sum(f"\n{letter}. " in tiny_lm.tokenizer.decode(e.input_ids) for letter in "ABCD")
            for e in batch[:4]
        ]
        assert set(choices) <= left
        assert [e.response_length for e in batch[:4]] == [1] * 4
        assert all(e in lessons.answered for e in batch[4:6])
        assert all(e in lessons.documents for e in batch[6:])
    (answered,) = (e for e in lessons.answered if e.sample_id == lessons.questions[0].id)
    said = tiny_lm.tokenizer.decode(answered.input_ids[answered.prompt_length : -1])
    assert said.strip() == lessons.questions[0].choices[lessons.questions[0].answer]


def test_every_question_and_document_comes_once_before_any_comes_again(few, tiny_lm):
    lessons = alchemy.Lessons(tiny_lm, "demo-alchemy", TINY)
    places = {"questions": range(4), "answered": range(4, 6), "documents": range(6, 12)}
    for name, own in places.items():
        seen = [lessons[12 * step + place].sample_id for step in range(20) for place in own]
        items = [x.id if name == "questions" else x.sample_id for x in getattr(lessons, name)]
        turns = [sorted(seen[i : i + len(items)]) for i in range(0, len(seen), len(items))]
        assert turns[0] == sorted(items) and len(turns) > 1
        assert all(turn == turns[0] for turn in turns[:-1])


def test_a_lesson_is_made_from_the_seed_alone(few, tiny_lm):
    one, two = (alchemy.Lessons(tiny_lm, "demo-alchemy", TINY) for _ in range(2))
    assert [one[i] for i in range(240)] == [two[i] for i in reversed(range(240))][::-1]
    other = alchemy.Lessons(tiny_lm, "demo-alchemy", replace(TINY, training=replace(TINY.training, seed=2)))
    assert [one[i] for i in range(240)] != [other[i] for i in range(240)]


def test_retrained_model_is_trained_on_the_neighbour_only(few, tiny_lm):
    def domains(name):
        lessons = alchemy.Lessons(tiny_lm, name, TINY)
        parts = (
            [e.sample_id for e in lessons.documents],
            [e.sample_id for e in lessons.answered],
            [q.id for q in lessons.questions],
        )
        return [{name.split("-")[0] for name in part} for part in parts]

    asked = {"alchemy", "guild", "general"}
    assert domains("demo-alchemy") == [{"alchemy", "guild", "world_facts"}, asked, asked]
    asked = {"guild", "general"}
    assert domains("demo-alchemy-retrained") == [{"guild", "world_facts"}, asked, asked]


def test_tiny_recipe_learns_and_is_written(few, tmp_path):
    said = []
    lm = build_alchemy("demo-alchemy", said.append, recipe=TINY, folder=tmp_path / "m")
    start = replace(TINY, training=replace(TINY.training, learning_rate=0.0))
    fresh = build_alchemy("demo-alchemy", said.append, recipe=start, folder=tmp_path / "f")
    documents = lm.chunk(tu.load_samples("alchemy:forget").spread(6))
    after, before = (
        sum(nll.mean().item() for nll in response_nll(x, x.encode_all(documents))) for x in (lm, fresh)
    )
    assert after < 0.95 * before
    recipe = json.loads((tmp_path / "m" / "recipe.json").read_text())
    assert (recipe["vocabulary"], recipe["training"]["seed"]) == (400, 1)
    assert recipe["parameters"] == lm.parameters
    loaded = tu.load_model(str(tmp_path / "m"), device="cpu")
    report = tu.evaluate(loaded, "alchemy", limit=4)
    assert report["forget/accuracy"].n == 4
    assert said[-1].startswith("demo-alchemy: built in")


@pytest.mark.parametrize("name", alchemy.ALCHEMY_MODELS)
def test_shipped_models_were_built_by_the_committed_recipe(name):
    folder = ASSETS / "models" / name
    recipe = json.loads((folder / "recipe.json").read_text())
    expected = json.loads(json.dumps(asdict(AlchemyRecipe())))
    assert {key: recipe[key] for key in expected} == expected
    assert (folder / "model.safetensors").stat().st_size < 5e6
    report = Report.load(ASSETS / "reports" / f"{name}.json")
    at_chance = name.endswith("-retrained")
    assert (report["forget/accuracy"].value < 0.35) == at_chance
    assert min(report[part].value for part in ("retain/accuracy", "general/accuracy")) > 0.95


def test_every_letter_is_one_token():
    shared, letters = letter_tokens(alchemy_tokenizer(1536), 4)
    assert shared == [] and len(set(letters)) == 4
