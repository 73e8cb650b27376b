"""The table of unlearning depth."""

from benchmarks.depth_table import depth_table


def run(variant, seed, depth, layer):
    return {"variant": variant, "seed": seed, "depth": [depth, 0, 1, 72], "layers": {"0": layer, "5": None}}


def test_rules_are_columns_over_seeds_and_layers_are_rows():
    runs = [
        run("default", 0, 0.25, [0.5, 0, 1, 70]),
        run("default", 1, 0.75, [0.5, 0, 1, 70]),
        run("uniform", 0, 0.125, None),
    ]
    header, rows = depth_table({"runs": runs})
    assert header[1:] == ["default, 2 seeds", "uniform, 1 seed"]
    assert rows == [
        ["all layers", "0.500 (0.250 to 0.750, n = 72)", "0.125 (0.125 to 0.125, n = 72)"],
        ["layer 0", "0.500 (0.500 to 0.500, n = 70)", "–"],
        ["layer 5", "–", "–"],
    ]
