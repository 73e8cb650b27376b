"""Charts: the data they are given, and nothing of it read as markup."""

from __future__ import annotations

import numpy as np
import pytest

from app import charts

HOSTILE = ["<script>alert(1)</script>", "$x$", "&amp;", " a\n", "<b>"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (" town", "␣town"),
        ("\n", "↵"),
        ("\t", "⇥"),
        ("", "∅"),
        ("<b>", "&lt;b&gt;"),
        ("a&b", "a&amp;b"),
        ("$x$", "$\u200bx$\u200b"),
        ("a rather long token", "a␣rather␣long…"),
        ("ein süßes Wort", "ein␣süßes␣Wort"),
    ],
)
def test_axis_text(text, expected):
    assert charts.axis_text(text) == expected


def test_axis_text_is_cut_before_it_is_escaped():
    assert charts.axis_text("<" * 20, longest=5) == "&lt;" * 4 + "…"


def every_text(figure):
    heatmap = figure.data[0]
    texts = [text for row in heatmap.text for text in row]
    axes = [axis.ticktext for axis in (figure.layout.xaxis, figure.layout.yaxis) if axis.ticktext]
    return [*texts, *(text for axis in axes for text in axis)]


def inert(text):
    """Whether plotly would show a text as it is: no tag but its own line break, no pair of dollars."""
    rest = text.replace("<br>", "")
    return "<" not in rest and "$" not in rest.replace("$\u200b", "")


def test_signal_heatmap_scales_each_row_to_its_own_range_and_tells_the_values():
    signals = {"entropy": ([0.0, 1.0, 4.0], "nats"), "weight": ([2.0, 2.0, 2.0], "")}
    figure = charts.signal_heatmap(["a", " b", "c"], signals)
    heatmap = figure.data[0]
    assert np.allclose(heatmap.z, [[0, 0.25, 1], [0, 0, 0]])
    assert list(heatmap.y) == ["entropy", "weight"]
    assert list(figure.layout.xaxis.ticktext) == ["a", "␣b", "c"]
    assert heatmap.text[0][1] == "␣b at 2<br>entropy: 1.000 nats"


def test_signal_heatmap_leaves_out_what_is_no_number():
    heatmap = charts.signal_heatmap(["a", "b", "c"], {"k": ([np.nan, -1.0, 3.0], "nats")}).data[0]
    assert np.isnan(heatmap.z[0][0])
    assert np.allclose(heatmap.z[0][1:], [0, 1])


def test_repeated_tokens_keep_a_column_each():
    figure = charts.signal_heatmap(["the", "the"], {"k": ([1.0, 2.0], "nats")})
    assert list(figure.data[0].x) == [0, 1]
    assert list(figure.layout.xaxis.tickvals) == [0, 1]


def test_context_matrix_has_zero_in_the_middle_and_losses_as_they_are():
    losses = np.array([[1.0, -4.0], [0.5, np.nan]])
    figure = charts.context_matrix(["who", "<b>"], ["a", "b"], losses)
    heatmap = figure.data[0]
    assert np.array_equal(np.asarray(heatmap.z, float), losses, equal_nan=True)
    assert (heatmap.zmin, heatmap.zmid, heatmap.zmax) == (-4, 0, 4)
    assert list(figure.layout.yaxis.ticktext) == ["who", "&lt;b&gt;"]
    assert heatmap.text[0][1] == "mask who<br>b at 2: -4.000 nats"


def test_context_matrix_of_zeros_has_a_range():
    heatmap = charts.context_matrix(["a"], ["b"], np.zeros((1, 1))).data[0]
    assert heatmap.zmin < heatmap.zmid < heatmap.zmax


def test_no_chart_of_tokens_reads_them_as_markup():
    values = np.arange(len(HOSTILE), dtype=float)
    heatmap = charts.signal_heatmap(HOSTILE, {"k": (values, "nats")})
    matrix = charts.context_matrix(HOSTILE, HOSTILE, np.tile(values, (len(HOSTILE), 1)))
    texts = every_text(heatmap) + every_text(matrix)
    assert len(texts) == len(HOSTILE) * 2 + len(HOSTILE) ** 2 + len(HOSTILE) * 2
    assert [text for text in texts if not inert(text)] == []


def test_loss_curves_draw_what_was_recorded():
    records = [
        {"step": 1.0, "forget_nll": 0.5, "retain_loss": 0.0},
        {"step": 2.0, "forget_nll": None, "retain_loss": 0.25},
    ]
    forget, retain = charts.loss_curves(records, 2).data
    assert list(forget.x) == [1, 2]
    np.testing.assert_array_equal(forget.y, [0.5, np.nan])
    assert list(retain.y) == [0, 0.25]
    assert (forget.yaxis, retain.yaxis) == ("y", "y2")


def test_both_curves_of_a_run_show_the_steps_that_are_left():
    accuracy = {"forget": {"value": 1.0, "n": 8}}
    losses = charts.loss_curves([{"step": 1, "forget_nll": 0.5}], 80)
    recall = charts.recall_curves([{"step": 0, "gold_span": accuracy}], 80)
    for figure in (losses, recall):
        low, high = figure.layout.xaxis.range
        assert low < 0 and 80 < high < 85


def test_decimation_keeps_ends_and_extremes():
    values = np.random.default_rng(0).normal(size=50_000)
    values[31_234], values[777] = 99.0, -99.0
    kept = charts.decimate(values)
    assert len(kept) <= 1000 and kept[0] == 0 and kept[-1] == 49_999
    assert {31_234, 777} <= set(kept.tolist())
    assert (np.diff(kept) > 0).all()


def test_decimation_leaves_short_series_alone_and_skips_what_is_no_number():
    assert charts.decimate([1, np.nan, 3]).tolist() == [0, 1, 2]
    values = np.full(5_000, np.nan)
    values[2_500] = 1.0
    assert 2_500 in charts.decimate(values)


def test_the_level_is_drawn_where_a_run_has_one():
    records = [
        {"step": step, "forget_nll": step / 2, "level": 3.2, "retain_loss": 0.1} for step in (1.0, 2.0)
    ]
    drawn = {trace.name: trace for trace in charts.loss_curves(records, 2).data}
    assert [*drawn["level"].y] == [3.2, 3.2] and drawn["level"].yaxis == "y"
    (curve,) = charts.loss_curves([{"step": 1.0, "forget_nll": 1.0}], 2).data
    assert curve.name != "level"


def test_curves_of_a_long_run_keep_their_extremes():
    records = [{"step": step, "forget_nll": 1.0, "retain_loss": 0.5} for step in range(1, 30_001)]
    records[12_345]["forget_nll"] = 9.0
    forget, retain = charts.loss_curves(records, 2).data
    assert len(forget.x) <= 1000 and len(retain.x) <= 1000
    assert forget.x[np.argmax(forget.y)] == 12_346
    assert forget.x[-1] == retain.x[-1] == 30_000


def test_loss_curves_without_a_regularizer_have_one_curve():
    (curve,) = charts.loss_curves([{"step": 1.0, "forget_nll": 0.5}], 2).data
    assert "forget" in curve.name
