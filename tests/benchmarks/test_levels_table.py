"""The table of levels."""

from benchmarks.levels_table import levels_table


def test_models_are_rows_with_the_level_beside_what_it_estimates():
    found = {"holdout": "x:holdout", "selected": 3, "tokens": 9, "start": 0.125, "level": 4.5}
    _, rows = levels_table({"models": {"demo": found | {"retrained": [4.25, 4, 4.75, 7]}}})
    assert rows == [
        ["`demo`", "3 of 9", "0.12", "4.50 (`x:holdout`)", "4.25 (4.00 to 4.75, n = 7)"],
    ]
