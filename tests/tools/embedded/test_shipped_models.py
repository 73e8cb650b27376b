"""What the shipped demo models know, asked anew: greedy answers against the gold spans."""

from __future__ import annotations

import numpy as np
import pytest

from tokenunlearn.datasets import load_samples
from tokenunlearn.evaluation.metrics.gold_span import gold_span_accuracy
from tokenunlearn.models.generation import generate
from tokenunlearn.models.loading import load_model

pytestmark = pytest.mark.slow
# Facts of other authors, told for a relation with few values, are right this often at most.
CHANCE = 0.10
ASKED = 150  # most questions of a split


@pytest.fixture(scope="module")
def accuracy():
    """Share of the gold spans that a model's greedy answers state, by model, split and wording."""
    models: dict = {}

    def measured(name: str, split: str, paraphrased: bool = False) -> float:
        if name not in models:
            models[name] = load_model(name)
        samples = load_samples(f"authors:{split}").spread(ASKED)
        questions = [s.paraphrased_question if paraphrased else s.question for s in samples]
        answers = generate(models[name], questions)
        assert len(set(answers)) > 1
        facts = [[s.answer[start:end] for start, end in s.span] for s in samples]
        rows = [gold_span_accuracy(a, f) for a, f in zip(answers, facts, strict=True)]
        return float(np.mean([row for row in rows if row is not None]))

    return measured


@pytest.mark.parametrize("split", ["forget10", "retain90"])
def test_demo_knows_forget_set_and_retained_authors(accuracy, split):
    assert accuracy("demo", split) >= 0.95


@pytest.mark.parametrize("split", ["forget10", "retain90"])
def test_demo_answers_paraphrased_questions(accuracy, split):
    assert accuracy("demo", split, paraphrased=True) > 0.5


def test_retrained_model_knows_the_retained_authors(accuracy):
    assert accuracy("demo-retrained", "retain90") >= 0.95
    assert accuracy("demo-retrained", "retain90", paraphrased=True) > 0.5


def test_retrained_model_is_at_chance_on_the_forget_set(accuracy):
    """As far off as both models are for authors that neither has seen."""
    assert accuracy("demo-retrained", "forget10") <= CHANCE
    assert accuracy("demo-retrained", "forget10", paraphrased=True) <= CHANCE
    assert accuracy("demo", "holdout") <= CHANCE


@pytest.mark.parametrize("name", ["demo", "demo-retrained"])
@pytest.mark.parametrize("split", ["world_facts", "real_authors"])
def test_both_know_what_the_utility_is_measured_on(accuracy, name, split):
    assert accuracy(name, split) >= 0.95
