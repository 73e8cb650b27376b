"""The table of frame loss and level."""

from benchmarks.frame_table import frame_table, tables_of


def run(suite, variant, seed, broken):
    return {"suite": suite, "variant": variant, "seed": seed, "metrics": {"forget/broken": [broken, 72]}}


def test_seeds_are_one_column_with_their_range_and_what_is_missing_is_a_dash():
    runs = [
        run("authors", "default", 0, 0.25),
        run("prose", "frame", 0, 0.5),
        run("authors", "default", 1, 0.75),
    ]
    retrained = {"authors": {"forget/broken": [0.125, 72]}, "prose": {}}
    header, (row,) = frame_table({"runs": runs, "retrained": retrained})
    assert header[1:] == [
        "authors: default, 2 seeds",
        "prose: frame, 1 seed",
        "authors: retrained",
        "prose: retrained",
    ]
    assert row == [
        "`forget/broken`",
        "0.500 (0.250 to 0.750, n = 72)",
        "0.500 (n = 72)",
        "0.125 (n = 72)",
        "–",
    ]


def test_objectives_stand_beside_the_default_and_npo_is_in_both_tables():
    runs = [
        run("authors", "idk", 0, 0.5),
        run("authors", "default", 0, 0.25),
        run("authors", "npo", 0, 0.5),
        run("authors", "frame", 0, 0.125),
        run("prose", "complement", 0, 0.75),
    ]
    retrained = {"authors": {}, "prose": {}}
    tables = tables_of({"runs": runs, "retrained": retrained})
    assert tables["objectives"][0][1:] == [
        "authors: default, 1 seed",
        "authors: npo, 1 seed",
        "authors: idk, 1 seed",
        "prose: complement, 1 seed",
        "authors: retrained",
        "prose: retrained",
    ]
    assert tables["table"][0][1:] == [
        "authors: npo, 1 seed",
        "authors: frame, 1 seed",
        "authors: retrained",
    ]
