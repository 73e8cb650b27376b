"""The one rule of how numbers look."""

from __future__ import annotations

import pytest

from app.compare.comparison import metric_table
from app.numbers import counted, measured, setting


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0416666, "0.042"),
        (1.0, "1.000"),
        (0.0, "0.000"),
        (-0.0, "0.000"),
        (1234.5, "1,234.500"),
        (0.0006, "0.001"),
        (0.00012, "0.00012"),
        (3.21e-12, "3.2e-12"),
        (-2.5, "-2.500"),
        (float("nan"), "nan"),
    ],
)
def test_measured_numbers_have_three_decimals_unless_these_would_say_0(value, text):
    assert measured(value) == text


def test_settings_have_no_zeros_at_their_end():
    assert [setting(value) for value in (0.771894, 0.5, 1.0, 0.0, 60.0)] == ["0.772", "0.5", "1", "0", "60"]


def test_a_cell_of_the_metrics_table_has_one_format_for_value_and_interval():
    row = {
        "metric": "m",
        "better": "lower",
        "model": "A",
        "value": 0.04166,
        "low": 0.0137,
        "high": 0.12,
        "n": 72,
    }
    assert metric_table([row | {"value": 0.04166}])[0]["A"] == "0.042 [0.014, 0.120] n=72"
    assert metric_table([row | {"value": 1.0}])[0]["A"] == "1.000 [0.014, 0.120] n=72"


def test_one_of_something_has_no_plural():
    assert [counted(n, "answer") for n in (0, 1, 1474)] == ["0 answers", "1 answer", "1,474 answers"]
