"""The benchmarks run, and their contenders compute the same."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import performance, tables
from benchmarks.scaling import exponent
from benchmarks.served_app import find_chromium

ROOT = Path(__file__).resolve().parent.parent


def quick(name, out, *more):
    command = [sys.executable, "-m", f"benchmarks.{name}", "--quick", "--out", str(out), *more]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(out.read_text())


@pytest.mark.slow
def test_steps_have_the_textbooks_loss_and_every_series_an_exponent(tmp_path, monkeypatch):
    rows = quick("steps", tmp_path / "steps.json")["rows"]
    assert [row["train"] for row in rows] == ["full", "lora"]
    for row in rows:
        assert row["loss_difference"] < 1e-4
        assert set(row["contenders"]) == {"ours", "textbook", "bare"}
    series = quick("scaling", tmp_path / "scaling.json", "--processes", "1")["series"]
    assert [(s["what"], s["along"]) for s in series] == [
        (what, along) for what in ("score", "step") for along in ("samples", "tokens")
    ]
    monkeypatch.setattr(tables, "RESULTS", tmp_path)
    monkeypatch.setattr(performance, "PAGE", tmp_path / "performance.md")
    performance.write()
    page = (tmp_path / "performance.md").read_text()
    headings = ("## One unlearning step", "## Scaling", "## Several processes")
    assert all(heading in page for heading in headings)


def test_exponent_is_the_slope_of_a_power_law():
    assert exponent([1, 2, 4, 8], [3.0, 12.0, 48.0, 192.0]) == pytest.approx(2.0)


def test_the_page_compares_masking_with_ours_and_says_what_is_not_measured(tmp_path, monkeypatch):
    def contender(seconds, **more):
        return {"median_s": seconds, "min_s": seconds, "max_s": 2 * seconds, "peak_mb": 10.0, **more}

    row = {
        "model": "demo",
        "prompt": 96,
        "response": 32,
        "device": "cpu",
        "contenders": {"ours": contender(0.5), "naive": contender(1.5, largest_difference=2e-6)},
    }
    (tmp_path / "masking.json").write_text(json.dumps({"rows": [row]}))
    monkeypatch.setattr(tables, "RESULTS", tmp_path)
    monkeypatch.setattr(performance, "PAGE", tmp_path / "performance.md")
    performance.write()
    page = (tmp_path / "performance.md").read_text()
    assert "| demo, 96 + 32 | naive | 1.500 (1.500 – 3.000) | 3.00 | 10 | 2.0e-06 |" in page
    assert "`benchmarks/steps.py` has no stored result yet" in page


@pytest.mark.browser
def test_the_page_is_measured_and_its_table_names_every_target(tmp_path, monkeypatch):
    if find_chromium() is None:
        pytest.skip("no Chromium: name one with CHROMIUM or install chromium")
    found = quick("app", tmp_path / "app.json")
    assert found["selection"]["tokens"] >= 5000
    for where in ("alone", "in a set"):
        assert found["drag"][where]["repaints"]["min"] > 50  # of 181 frames
    assert found["cold"]["heatmap"]["min"] > found["cold"]["heatmap_from_address"]["min"]
    monkeypatch.setattr(tables, "RESULTS", tmp_path)
    monkeypatch.setattr(performance, "PAGE", tmp_path / "performance.md")
    performance.write()
    page = (tmp_path / "performance.md").read_text()
    assert "## The page" in page
    for what in (
        "hard weights of 5,0",
        "alone of 512",
        "first heatmap drawn",
        "Compare, 12 runs",
        "Data, 40 ",
    ):
        assert what in page


def test_parts_of_the_page_that_were_not_measured_are_left_out():
    figure = {"median": 7.44, "min": 7.0, "max": 8.7, "n": 10}
    table = performance.app_table({"selection": {"tokens": 5005, "rules": {"hard": figure}}})
    assert table.splitlines()[2:] == [
        "| hard weights of 5,005 tokens, server | 7.4 ms (7.0 – 8.7) | < 20 ms | 10 |"
    ]
