"""Samples for the form of the page Unlearn."""

from __future__ import annotations

import json

import pytest

from app import sample_sets, score_sets
from tokenunlearn.attribution.score import score
from tokenunlearn.datasets import load_samples
from tokenunlearn.models.loading import load_model
from tokenunlearn.models.source import ModelSource


@pytest.fixture
def scored(model, samples) -> dict[str, str]:
    """Address of the uploaded samples under a small model, scored, with a small run in the form."""
    score(load_model(model), load_samples(samples)).save(
        score_sets.score_path(ModelSource(model), samples, {})
    )
    row = {"question": "What is kept?", "answer": "The smith and his dog."}
    retain = sample_sets.set_name(sample_sets.keep_upload(json.dumps(row).encode(), "rest.jsonl"))
    small = {"steps": "2", "batch_size": "2", "retain_batch_size": "2", "evaluate": "no", "retain": retain}
    return {"model": model, "samples": sample_sets.set_name(samples), "threshold": "0.3", **small}
