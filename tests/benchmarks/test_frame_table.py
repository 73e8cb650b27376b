"""The tables of frame loss, level and objective."""

import pytest

from benchmarks.frame_table import frame_table, tables_of


def run(suite, variant, seed, broken):
    return {"suite": suite, "variant": variant, "seed": seed, "metrics": {"forget/broken": [broken, 72]}}


def test_seeds_are_one_column_with_their_range_and_what_is_missing_is_a_dash():
    runs = [
        run("authors", "default", 0, 0.25),
        run("authors", "frame", 0, 0.5),
        run("authors", "default", 1, 0.75),
    ]
    runs[1]["metrics"]["retain/retained_pairs"] = [1.0, 648]
    header, rows = frame_table(runs, {"forget/broken": [0.125, 72]})
    assert header == ["", "default, 2 seeds", "frame, 1 seed", "retrained", "n"]
    assert rows == [
        ["`forget/broken`", "0.500 (0.250 to 0.750)", "0.500", "0.125", "72"],
        ["`retain/retained_pairs`", "–", "1.000", "–", "648"],
    ]


@pytest.mark.parametrize(
    ("table", "columns"),
    [
        ("authors", ["default, 1 seed", "npo, 1 seed", "idk, 1 seed"]),
        ("prose", ["complement, 1 seed"]),
        ("frame_authors", ["npo, 1 seed", "frame, 1 seed"]),
        ("frame_prose", []),
    ],
)
def test_a_world_has_its_objectives_beside_the_default_and_npo_is_in_both_tables(table, columns):
    runs = [
        run("authors", "idk", 0, 0.5),
        run("authors", "default", 0, 0.25),
        run("prose", "complement", 0, 0.75),
        run("authors", "npo", 0, 0.5),
        run("authors", "frame", 0, 0.125),
    ]
    tables = tables_of({"runs": runs, "retrained": {"authors": {}, "prose": {}}})
    assert tables[table][0] == ["", *columns, "retrained", "n"]
