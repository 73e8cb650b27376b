"""The table of runs on a few samples."""

from benchmarks.few_samples_table import few_samples_table, section


def test_sizes_are_rows_held_and_left_alone():
    def run(last):
        return {"level": 5.0, "highest": 2.0, "last": last, "recalled": 0.0}

    runs = [
        {"size": size, "seed": seed, "default": run(1.0 + seed), "without": run(3.0)}
        for size in (1, 4)
        for seed in (0, 1)
    ]
    _, rows = few_samples_table({"runs": runs})
    assert [row[:2] for row in rows] == [
        [size, name] for size in ("1", "4") for name in ("held", "left alone")
    ]
    assert rows[0][3] == "1.50 (1.00 to 2.00)" and rows[1][3] == "3.00 (3.00 to 3.00)"
    page = " ".join(section({"model": "demo", "forget": "x:y", "runs": runs}).split())
    assert "each of 2 seeds" in page and "(5.00 to 5.00 nats)" in page
