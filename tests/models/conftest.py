"""A model folder and an adapter folder that a test may change."""

from __future__ import annotations

import pytest

from tests.models.test_loading import with_lora


@pytest.fixture
def folder(tiny_lm, tmp_path):
    """The tiny model saved as any transformers model is; a test may change it."""
    path = tmp_path / "model"
    tiny_lm.model.save_pretrained(path)
    tiny_lm.tokenizer.save_pretrained(path)
    return path


@pytest.fixture
def adapter(tiny_lm, tmp_path):
    """A LoRA adapter of the tiny model."""
    path = tmp_path / "adapter"
    with_lora(tiny_lm.copy(share_weights=False).model).save_pretrained(path)
    return path
