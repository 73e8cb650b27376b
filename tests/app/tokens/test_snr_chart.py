"""The tab Signal to noise: its curve, what it offers before gradients are there, and what it says of them."""

from __future__ import annotations

from concurrent.futures import Future

import numpy as np
import pytest

from app import tasks
from app.tokens.snr_chart import snr_curve
from tests.app.app_pages import shown, visit
from tokenunlearn.attribution.score_set import ScoreSet
from tokenunlearn.folders import ASSETS
from tokenunlearn.training.gradient_signal import TokenGradients

LEVELS = {"uniform weights": (0.5, 0.4, 0.6), "gold tokens": (2.0, 1.5, 2.5)}


def test_the_curve_has_its_band_level_lines_and_the_point_in_use():
    curve = {0.2: (0.5, 0.4, 0.7), 0.8: (1.0, 0.9, 1.2)}
    band, line, uniform, gold, point = snr_curve(curve, LEVELS, (0.8, (1.0, 0.9, 1.2))).data
    assert line.x == (0.2, 0.8) and line.y == (0.5, 1.0) and band.y == (0.7, 1.2, 0.9, 0.4)
    assert set(uniform.y) == {0.5} and set(gold.y) == {2.0}
    assert point.x == (0.8,) and point.y == (1.0,) and point.error_y.array == (pytest.approx(0.2),)
    assert point.name == "in use: τ = 0.8"


def test_weights_without_a_threshold_stand_at_the_edge():
    *_, point = snr_curve({}, LEVELS, (None, (1.0, 1.0, 1.0))).data
    assert point.name == "weights in use" and point.x == (0.95,)


def test_the_tab_offers_to_measure():
    at = visit("tokens", charts="Signal to noise")
    assert [b.label for b in at.button if "gradients" in b.label] == ["Measure gradients"]


@pytest.mark.parametrize("query", [{}, {"weights": "soft"}, {"threshold": "1"}])
def test_the_tab_draws_what_was_measured(monkeypatch, query):
    scores = ScoreSet.load(ASSETS / "scores" / "demo-authors-forget10.parquet")
    rng = np.random.default_rng(0)
    gradients = []
    for x in scores.samples[:6]:
        vectors = rng.normal(size=(len(x.texts), 8))
        gradients.append(TokenGradients(x.sample_id, x.gold, vectors @ vectors.T, vectors[:, :2]))
    future: Future[list[TokenGradients]] = Future()
    future.set_result(gradients)
    monkeypatch.setattr(tasks, "known", lambda: _Any(tasks.Task("", "", future)))
    text = shown(visit("tokens", charts="Signal to noise", **query))
    assert "n = 6 samples" in text and "The theory says" in text


class _Any(dict):
    """One task under any key of gradients."""

    def __init__(self, task):
        self.task = task

    def get(self, key, default=None):
        return self.task if key.startswith("gradients") else default
