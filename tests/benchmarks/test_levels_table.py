"""The table of levels, and the shares of facts beside them."""

from benchmarks.levels import stated
from benchmarks.levels_table import levels_table
from tokenunlearn.datasets.samples import Sample


def test_models_are_rows_with_the_level_beside_what_it_estimates():
    found = {"holdout": "x:holdout", "selected": 3, "tokens": 9, "start": 0.125, "level": 4.5}
    found |= {"retrained": [4.25, 4, 4.75, 7], "stated": [0.625, None]}
    _, rows = levels_table({"models": {"demo": found}})
    assert rows == [
        ["`demo`", "3 of 9", "0.12", "4.50 (`x:holdout`)", "4.25 (4.00 to 4.75, n = 7)", "0.62, –"],
    ]


def test_facts_count_as_often_as_they_are_asked_for():
    rows = [Sample("a", "?", "red cat", ((0, 3), (4, 7))), Sample("b", "?", "red dog", ((0, 3), (4, 7)))]
    assert stated(rows, [Sample("c", "?", "red", ((0, 3),))]) == 0.5
    assert stated(rows, []) == 0
    assert stated([Sample("d", "?", "red")], rows) is None
