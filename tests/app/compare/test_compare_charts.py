"""Charts of a comparison: colors, intervals, Pareto line, names that stay text."""

from __future__ import annotations

from app.compare import compare_charts
from tests.stored_run import HOSTILE, changes


def point(name, forget, utility, *, run=True, chosen=True, color="#123456"):
    def figure(value):
        return {"value": value, "low": value - 0.1, "high": value + 0.2, "n": 12}

    shared = {"name": name, "color": color, "symbol": "circle", "chosen": chosen, "run": run}
    return shared | {"forget": figure(forget), "utility": figure(utility)}


def test_the_front_joins_runs_only():
    points = [
        point("A", 0.2, 0.5),
        point("B", 0.4, 0.6),
        point("C", 0.5, 0.4),
        point("start", 0.0, 1.0, run=False),
    ]
    front, *marks = compare_charts.trade_off(points).data
    assert (list(front.x), list(front.y)) == ([0.2, 0.4], [0.5, 0.6])
    assert len(marks) == 4
    assert marks[0].error_x.array[0] == 0.2 or abs(marks[0].error_x.array[0] - 0.2) < 1e-9


def test_one_run_has_no_front_and_others_stand_back():
    (mark, other) = compare_charts.trade_off([point("A", 0.2, 0.5), point("x", 0.3, 0.4, chosen=False)]).data
    assert mark.showlegend and not other.showlegend
    assert other.opacity < mark.opacity


def test_runs_of_different_n_have_no_front_and_every_model_says_its_n():
    points = [point("A", 0.2, 0.5), point("B", 0.4, 0.6)]
    points[1]["utility"]["n"] = 800
    marks = compare_charts.trade_off(points).data
    assert [mark.name for mark in marks] == ["A (n = 12)", "B (n = 800)"]
    assert all(mark.mode == "markers" for mark in marks)


def test_token_bars_show_change_above_weight():
    figure = compare_charts.token_change_bars({"A": changes(5.0)[0]}, {"A": "#abcdef"})
    change, weight = figure.data
    assert [round(y, 5) for y in change.y] == [0, 0, -5, 0, 0]
    assert list(weight.y) == [0, 0, 1, 0, 0]
    assert "rank 1 → 40" in change.hovertext[2]


def test_names_in_charts_are_text():
    figure = compare_charts.trade_off([point(HOSTILE, 0.2, 0.5)])
    assert "<script" not in figure.data[0].name
    assert "$x$" not in figure.data[0].name


def test_the_curve_of_a_run_of_one_step_is_a_point_and_that_of_many_a_line():
    one, many = ([1], [0.5], "#123456"), (range(61), [0.5] * 61, "#654321")
    modes = [curve.mode for curve in compare_charts.forget_curves({"A": one, "B": many}).data]
    assert modes == ["lines+markers", "lines"]
