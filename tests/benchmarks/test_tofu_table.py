"""The table of runs on real TOFU answers."""

from benchmarks.tofu_table import section, tofu_table


def test_start_model_variants_and_retrained_model_are_columns():
    runs = [
        {"variant": "default", "seed": seed, "metrics": {"forget/leaks": [leaks, 40]}}
        for seed, leaks in enumerate((0.1, 0.3))
    ]
    result = {"model": "x", "start": {"forget/leaks": [0.9, 40]}, "retrained": {"forget/leaks": [0.05, 40]}}
    header, rows = tofu_table(result | {"runs": runs})
    assert header == ["", "start model", "default, 2 seeds", "retrained", "n"]
    assert rows == [["`forget/leaks`", "0.900", "0.200 (0.100 to 0.300)", "0.050", "40"]]
    assert "`x`" in section(result | {"runs": runs})
