"""A model folder and an adapter folder that a test may change."""

from __future__ import annotations

import shutil

import pytest

from tests.models.model_files import with_lora


@pytest.fixture
def folder(tiny_folder, tmp_path):
    """The saved tiny model; a test may change it."""
    return shutil.copytree(tiny_folder, tmp_path / "model")


@pytest.fixture
def adapter(tiny_lm, tmp_path):
    """A LoRA adapter of the tiny model."""
    path = tmp_path / "adapter"
    with_lora(tiny_lm.copy(share_weights=False).model).save_pretrained(path)
    return path
