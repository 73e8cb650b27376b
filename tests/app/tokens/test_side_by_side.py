"""One answer under two score sets: both texts, what they agree on, and the offer to score."""

from __future__ import annotations

import numpy as np

from app import score_sets
from app.tokens.side_by_side import agreement
from tests.app.app_pages import shown, visit
from tests.app.scores import sample
from tokenunlearn.attribution.score_set import ScoreSet
from tokenunlearn.folders import ASSETS
from tokenunlearn.models.source import ModelSource

TAB = "Side by side"


def store(model, **masking):
    """Keep the shipped scores as those of another model or another masking, the entropies turned round."""
    from dataclasses import replace

    scores = ScoreSet.load(ASSETS / "scores" / "demo-authors-forget10.parquet")
    turned = tuple(
        replace(x, entropy=x.entropy[::-1], tail_entropy=x.tail_entropy[::-1]) for x in scores.samples
    )
    replace(scores, samples=turned).save(
        score_sets.score_path(ModelSource(model), "authors:forget10", masking)
    )


def test_two_models_show_the_same_answer_and_what_they_agree_on():
    store("demo-retrained")
    at = visit("tokens", charts=TAB)
    assert not at.exception
    page = shown(at)
    assert page.count('<div class="tv" role="figure">') == 2
    assert [heading.value for heading in at.subheader] == [
        "demo, masked: prompt",
        r"demo\-retrained, masked: prompt",
    ]
    assert "tokens are selected on both sides. Only left: " in page
    assert len(at.get("plotly_chart")) == 1


def test_two_ways_of_masking_of_one_model():
    store("demo", mask="leave-one-out")
    at = visit("tokens", charts=TAB, other_model="demo", other_mask="leave-one-out")
    assert not at.exception
    assert [heading.value for heading in at.subheader] == [
        "demo, masked: prompt",
        "demo, masked: leave-one-out",
    ]


def test_scores_that_are_missing_are_offered():
    at = visit("tokens", charts=TAB)
    assert any(button.key == "score-other" for button in at.button)
    assert "not scored yet" in shown(at)


def test_agreement_names_the_tokens_that_one_side_selects():
    one = sample([1] * 4, [1] * 4)
    text = agreement(one, np.array([1, 1, 0, 0], bool), np.array([0, 1, 1, 0], bool))
    assert text == '1 of 4 tokens are selected on both sides. Only left: "wa". Only right: "wc".'
