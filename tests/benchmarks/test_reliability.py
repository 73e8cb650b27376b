"""The page on reliability says what the results hold."""

import json

import pytest

from benchmarks import reliability


@pytest.fixture
def page(tmp_path, monkeypatch):
    """Writes the page from results of this test's own."""
    monkeypatch.setattr(reliability, "RESULTS", tmp_path)
    monkeypatch.setattr(reliability, "PAGE", tmp_path / "reliability.md")
    count = {"fault": "killed", "tried": 20, "wrong": 1, "lost": 2, "recovered": 18}
    (tmp_path / "faults.json").write_text(json.dumps({"seconds_alone": 9.5, "faults": [count]}))

    def written() -> str:
        reliability.write_page()
        return (tmp_path / "reliability.md").read_text()

    return written


def test_every_count_of_a_fault_is_in_the_table(page):
    assert "| killed | 20 | 1 | 2 | 18 |" in page()


def test_without_a_measurement_there_is_no_section_on_visitors(page):
    assert "## Beside visitors" not in page()


def test_speed_is_that_of_the_run_alone_over_that_beside_visitors(page, tmp_path):
    crowd = {"visitors": 10, "step": 4.0, "pages": 50, "page_median": 1.0, "page_95": 2.5, "errors": 3}
    result = {
        "machine": {"cores": 2},
        "steps": 12,
        "alone": {"step": 1.0},
        "beside": [crowd | {"same_losses": False}],
        "memory": [220.0, 230.0, 241.0],
    }
    (tmp_path / "load.json").write_text(json.dumps(result))
    text = page()
    assert "| 10 | 4.00 | 0.25 | 50 | 1.00 | 2.50 | 3 | different |" in text
    assert "220 MiB after its first page" in text
    assert "230, 241 MiB" in text


def test_equal_to_the_bit_is_0_and_nothing_else_is(page, tmp_path):
    row = {"kind": "hard, full", "resumed_weights": 0.0, "resumed_losses": 2.5e-7}
    row |= {"beside_weights": 1e-9, "beside_losses": 0.0}
    (tmp_path / "resume.json").write_text(json.dumps({"steps": 12, "rows": [row]}))
    assert "| hard, full | 0 | 2.5e-07 | 1.0e-09 | 0 |" in page()
