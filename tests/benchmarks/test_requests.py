"""Several requests one after another: their files, and the table of what was measured after each."""

from __future__ import annotations

from benchmarks import requests_table
from benchmarks.requests import request_files
from tokenunlearn.datasets import load_samples


def test_the_files_of_the_requests_are_the_forget_set_two_authors_each(tmp_path):
    files = request_files(tmp_path)
    parts = [load_samples(f"file:{file}").samples for file in files]
    assert [len({sample.id[:11] for sample in part}) for part in parts] == [2, 2, 2]
    assert sum(parts, ()) == load_samples("authors:forget10").samples


def test_every_request_is_a_row_with_all_requests_so_far():
    def measured(value):
        return {"value": value, "low": value - 0.1, "high": value + 0.1, "n": 24}

    def after(*values):
        found = {"requests": [measured(v) for v in values], "retain": measured(0.9)}
        return found | {"reading": "tail", "gold_selected": 5, "gold": 9}

    start = {"requests": [measured(0.8), measured(0.7)], "retain": measured(0.85)}
    table = requests_table.requests_table(
        {"start": start, "chains": {"default": {"after": [after(0.2), after(0.3, 0.4)]}}}
    )
    header, _, first, one, two = table.splitlines()
    assert "request 2, n = 24" in header
    assert first.count("(") == 3
    assert one == "| default | 1 | 5 of 9 (tail) | 0.200 (0.100 to 0.300) |  | 0.900 (0.800 to 1.000) |"
    assert "0.300 (0.200 to 0.400) | 0.400 (0.300 to 0.500)" in two
