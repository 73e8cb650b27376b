"""Charts are pure: the numbers that went in are the numbers that are drawn, and every axis has a unit."""

from __future__ import annotations

import numpy as np
import pytest

from app.tokens import score_charts

RANDOM = np.random.default_rng(0)


@pytest.mark.parametrize("values", [[0.0] * 5, [0.5] * 5, [-1.0, -2.0], [np.nan, 1.0], [], [np.nan]])
def test_the_distribution_counts_every_number_once(values):
    figure = score_charts.score_distribution(values, "entropy h", "nats", 0.5)
    assert sum(figure.data[0].y) == np.isfinite(np.asarray(values, dtype=float)).sum()
    assert figure.layout.xaxis.title.text == "entropy h, nats"
    assert figure.layout.shapes[0].x0 == 0.5


def test_the_importance_curve_ends_at_all_of_it():
    importance = RANDOM.random(3_000)
    weights = importance > 0.7
    figure = score_charts.importance_curve(importance, weights)
    curve, share = figure.data
    assert len(curve.x) <= 1000
    assert curve.y[0] == importance.max() and curve.y[-1] == importance.min()
    assert share.y[-1] == pytest.approx(100)
    assert figure.layout.shapes[0].x0 == weights.sum()
    assert score_charts.importance_curve([0.0, 0.0]).data[1].y.max() == 0


def test_the_scatter_says_which_token_a_marker_is():
    k, h, w = RANDOM.random(3_000), RANDOM.random(3_000), np.repeat([0, 1], 1_500)
    k[5] = 50.0
    places = [(i // 10, i % 10) for i in range(3_000)]
    figure = score_charts.signal_scatter(k, h, w, ["<b>$x$</b>"] * 3_000, places, here=2)
    rest, mine = figure.data
    assert len(rest.x) + len(mine.x) <= score_charts.POINTS
    assert [tuple(c) for c in mine.customdata] == [(2, t) for t in range(10)]
    np.testing.assert_allclose(mine.x, np.maximum(k[20:30], score_charts.LEAST))
    assert k.max() in rest.x
    assert set(mine.marker.symbol) == {"circle-open"}
    assert "<b>" not in mine.text[0]


def test_the_weight_curve_passes_through_the_tokens():
    importance = np.array([0.0, 0.25, 0.5, 1.0])
    figure = score_charts.weight_curve(importance, 0.5)
    expected = 4 * np.exp(importance / 0.5) / np.exp(importance / 0.5).sum()
    np.testing.assert_allclose(figure.data[3].y, expected)
    curve = figure.data[2]
    np.testing.assert_allclose(np.interp(importance, curve.x, curve.y), expected, rtol=1e-3)
    assert np.isfinite(score_charts.weight_curve([0.0, 1.0], 1e-4).data[2].y).all()


def test_lines_leave_gaps_and_mark_the_present():
    figure = score_charts.lines(
        [0.1, 1, 10], {"a": [0.5, None, 1]}, "T", "share, %", at=1.0, logarithmic=True
    )
    assert figure.data[0].y[0] == 50 and np.isnan(figure.data[0].y[1])
    assert figure.layout.annotations[0].x == 0
    assert figure.layout.xaxis.type == "log"


def test_the_set_heatmap_keeps_the_highest_of_what_shares_a_column():
    long = RANDOM.random(901)
    figure = score_charts.set_heatmap([long, np.array([0.5])], ["a", "b"], [["x"] * 901, ["y"]], "s", "")
    z = figure.data[0].z
    assert z.shape[1] <= score_charts.COLUMNS
    assert np.nanmax(z[0]) == long.max()
    assert z[1, 0] == 0.5 and np.isnan(z[1, 1:]).all()


def test_positions_in_the_set_heatmap_are_counted_from_one():
    figure = score_charts.set_heatmap([np.array([0.1, 0.9])], ["a"], [["x", "y"]], "s", "nats")
    assert list(figure.data[0].x) == list(figure.data[1].x) == [1, 2]
    assert "y at 2: 0.9" in figure.data[0].text[0][1]


def test_the_heatmap_of_nothing_measured_is_empty():
    figure = score_charts.set_heatmap([np.full(3, np.nan)], ["a"], [["x"] * 3], "s", "nats")
    assert np.isnan(figure.data[0].z).all()


def test_every_chart_names_both_axes():
    figures = [
        score_charts.score_distribution([1.0, 2.0], "h", "nats"),
        score_charts.importance_curve([0.1, 0.9]),
        score_charts.signal_scatter([1], [1], [1], ["a"], [(0, 0)], 0),
        score_charts.weight_curve([0.1, 0.9], 0.2),
        score_charts.lines([0, 1], {"a": [0, 1]}, "τ, 0 to 1", "share, %"),
        score_charts.set_heatmap([np.ones(2)], ["a"], [["x", "y"]], "h", "nats"),
        score_charts.agreement(["a", "b"], np.eye(2)),
    ]
    for figure in figures:
        assert figure.layout.xaxis.title.text and figure.layout.yaxis.title.text
