"""Recipes beside fine-tuned models: read back as written, refused in one sentence, used for prompts."""

from __future__ import annotations

import json

import pytest

from tokenunlearn.errors import TokenUnlearnError
from tokenunlearn.folders import ASSETS
from tokenunlearn.models.loading import load_model
from tokenunlearn.models.recipe import Recipe, find_recipe

KNOWN = {"retain": {"name": "file:r.jsonl", "samples": 2, "sha256": "ab", "trained": True}}


def test_a_recipe_comes_back_from_its_folder_and_its_file(tmp_path):
    recipe = Recipe({"epochs": 3}, "demo", "0123", "", {"enable_thinking": True}, KNOWN, {"torch": "2"})
    recipe.save(tmp_path)
    assert Recipe.load(tmp_path) == Recipe.load(tmp_path / "recipe.json") == find_recipe(tmp_path) == recipe
    assert recipe.trained_on("retain", "ab")
    assert not recipe.trained_on("retain", "cd") and not recipe.trained_on("forget", "ab")


def test_a_file_may_hold_the_settings_alone(tmp_path):
    (tmp_path / "recipe.json").write_text('{"epochs": 3}')
    assert Recipe.load(tmp_path) == Recipe({"epochs": 3})
    assert find_recipe(tmp_path) is None


@pytest.mark.parametrize(
    "text",
    ["{", "[]", "3", '{"settings": 3}', '{"settings": {}, "samples": 1}'],
)
def test_what_is_no_recipe_is_one_sentence(tmp_path, text):
    (tmp_path / "recipe.json").write_text(text)
    with pytest.raises(TokenUnlearnError, match=r"is not a recipe.*retrain writes one"):
        Recipe.load(tmp_path)
    assert find_recipe(tmp_path) is None


def test_what_a_newer_version_adds_to_a_recipe_is_left_out(tmp_path):
    (tmp_path / "recipe.json").write_text('{"settings": {"epochs": 3}, "color": 1}')
    assert Recipe.load(tmp_path) == Recipe({"epochs": 3})


def test_a_missing_recipe_is_named(tmp_path):
    with pytest.raises(TokenUnlearnError, match="There is no recipe"):
        Recipe.load(tmp_path / "none")


def test_recipes_of_embedded_models_are_of_another_kind():
    assert find_recipe(ASSETS / "models" / "demo") is None


def test_a_model_goes_on_to_use_the_system_prompt_it_was_trained_with(tiny_lm, tmp_path):
    tiny_lm.model.save_pretrained(tmp_path)
    tiny_lm.tokenizer.save_pretrained(tmp_path)
    assert load_model(str(tmp_path)).system_prompt is None
    Recipe({}, "base", system_prompt="Be short.").save(tmp_path)
    assert load_model(str(tmp_path)).system_prompt == "Be short."
    (tmp_path / "recipe.json").write_text(json.dumps({"training": {}}))
    assert load_model(str(tmp_path)).system_prompt is None
