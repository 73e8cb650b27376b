"""The benchmarks run, and their contenders compute the same."""

from __future__ import annotations

import io
import itertools
import json
import subprocess
import sys
from contextlib import redirect_stdout
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace

import pytest

from benchmarks import (
    RESULTS,
    attacks_table,
    contest,
    hazard_table,
    performance,
    reliability,
    scaling,
    tables,
    write_result,
)
from benchmarks.contest import alternate
from benchmarks.outcomes import shipped_outcomes
from benchmarks.scaling import exponent
from benchmarks.served_app import find_chromium

ROOT = Path(__file__).resolve().parent.parent


def quick(name, out, *more):
    command = [sys.executable, "-m", f"benchmarks.{name}", "--quick", "--out", str(out), *more]
    done = contest.subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(out.read_text())


@pytest.fixture
def in_process(monkeypatch):
    """Contenders are called in the process of their benchmark, which has imported torch.

    Its memory says nothing about one of them, so what it grows by is made up.
    """
    grown = itertools.count(1.0)

    def run(command, **_):
        _, _, module, *words = command
        with monkeypatch.context() as patch, redirect_stdout(io.StringIO()) as out:
            patch.setattr(sys, "argv", [module, *words])
            contender = import_module(module)
            patch.setattr(contender, "resident_mb", lambda: next(grown), raising=False)
            contender.main()
        return subprocess.CompletedProcess(command, 0, out.getvalue(), "")

    for benchmark in (contest, scaling):
        monkeypatch.setattr(benchmark, "subprocess", SimpleNamespace(run=run))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::UserWarning:captum")
def test_contenders_of_masking_measure_the_same(in_process, tmp_path):
    (row,) = quick("masking", tmp_path / "masking.json")["rows"]
    differences = {
        name: found["largest_difference"]
        for name, found in row["contenders"].items()
        if "largest_difference" in found
    }
    assert set(differences) == {"captum", "captum, one pass", "naive batched", "naive single"}
    assert all(difference < 1e-4 for difference in differences.values())


@pytest.mark.slow
def test_steps_have_the_textbooks_loss_and_every_series_an_exponent(in_process, tmp_path, monkeypatch):
    (row,) = quick("steps", tmp_path / "steps.json", "--train", "lora")["rows"]
    assert row["loss_difference"] < 1e-4
    assert set(row["contenders"]) == {"ours", "textbook", "bare"}
    rows = quick("scaling", tmp_path / "scaling.json", "--processes", "1", "--along", "tokens")["rows"]
    assert [row["what"] for row in rows] == ["score", "step"]
    monkeypatch.setattr(tables, "RESULTS", tmp_path)
    monkeypatch.setattr(performance, "PAGE", tmp_path / "performance.md")
    performance.write()
    page = (tmp_path / "performance.md").read_text()
    headings = ("## One unlearning step", "## Scaling", "## Several processes")
    assert all(heading in page for heading in headings)


def test_a_result_that_cannot_be_written_leaves_the_one_before(tmp_path, monkeypatch):
    path = tmp_path / "folder" / "result.json"
    contest.store_rows(path, {("a",): {"name": "a"}})
    before = path.read_bytes()

    def ended(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("tokenunlearn.files.os.replace", ended)
    with pytest.raises(KeyboardInterrupt):
        write_result(path, {"rows": []})
    assert path.read_bytes() == before
    assert [file.name for file in path.parent.iterdir()] == ["result.json"]


def test_attacks_stand_beside_the_retrained_model_and_guessing():
    def row(value, retrained, chance=None):
        return {"value": value, "low": value - 0.1, "high": value + 0.1, "n": 72} | {
            "retrained": retrained,
            "chance": chance,
        }

    curve = "relearning_05/gold_span"
    metrics = {
        "plain/gold_span": row(0.0, 0.01),
        "int4/gold_span": row(0.2, 0.0),
        "probe/right_option": row(0.5, 0.3, 0.1667),
        f"{curve}_after_2": row(0.1, 0.0),
        curve: row(0.4, 0.2),
        f"{curve}_area": row(0.3, 0.1),
        f"{curve}_area_between": row(0.2, 0.0),
        "worst/gold_span": row(0.6, 0.25),
    }
    again = {"worst/gold_span": row(0.5, 0.125)}
    runs = {"default": {"seeds": {"0": metrics}}, "npo": {"seeds": {"0": again, "1": metrics}}}
    table = attacks_table.attacks_table(runs).splitlines()
    assert table[0] == "| attack | default | npo | retrained | chance | n |"
    assert [line.split(" | ")[0].strip("| ") for line in table[2:]] == [
        "plain",
        "worst",
        "int4",
        "probe: right option",
    ]
    assert "| worst | 0.600 | 0.550 (0.500 to 0.600) | 0.250 | – | 72 |" in table
    assert "| probe: right option | 0.500 | 0.500 | 0.300 | 0.17 | 72 |" in table
    (line,) = attacks_table.relearning_table({"default": {"seeds": {"0": metrics}}}).splitlines()[2:]
    assert line == "| 5 %, gold span | default | 0.10 / 0.00 | 0.40 / 0.20 | 0.30 / 0.10 | 0.200 |"


def test_exponent_is_the_slope_of_a_power_law():
    assert exponent([1, 2, 4, 8], [3.0, 12.0, 48.0, 192.0]) == pytest.approx(2.0)


@pytest.mark.slow
def test_the_page_compares_masking_with_ours_and_says_what_is_not_measured(tmp_path, monkeypatch):
    def contender(seconds, **more):
        of = {"median": seconds, "min": seconds, "max": 2 * seconds, "n": 5}
        return {"seconds": of, "peak_mb": {"median": 10.0}, **more}

    row = {
        "model": "demo",
        "prompt": 96,
        "response": 32,
        "device": "CPU",
        "machine": {"gpu": None, "cores": 2, "processor": "x", "threads": 2, "torch": "2", "load": 0.1},
        "load_after": 2.0,
        "contenders": {"ours": contender(0.5), "naive": contender(1.5, largest_difference=2e-6)},
    }
    on_gpu = row | {"device": "GPU X", "machine": row["machine"] | {"gpu": "GPU X"}}
    (tmp_path / "masking.json").write_text(json.dumps({"rows": [row, on_gpu]}))
    monkeypatch.setattr(tables, "RESULTS", tmp_path)
    monkeypatch.setattr(performance, "PAGE", tmp_path / "performance.md")
    performance.write()
    page = (tmp_path / "performance.md").read_text()
    assert "| demo on GPU X, 96 + 32 | naive |" in page and "Measured on 2 cores (x), 2 threads" in page
    assert "| demo, 96 + 32 | naive | 1.500 (1.500 – 3.000) | 5 | 3.00 | 10 | 2.0e-06 |" in page
    assert "`benchmarks/steps.py` has no stored result yet" in page
    assert (tmp_path / "images" / "performance.png").exists()


def test_a_contender_that_takes_too_long_has_one_turn(monkeypatch):
    monkeypatch.chdir(ROOT)
    runs = alternate("tests.workers.race", ["fast", "slow"], 3, ["--x"], patience=5)
    assert {name: len(results) for name, results in runs.items()} == {"fast": 3, "slow": 1}
    assert runs["slow"][0]["asked"] == ["--x"]


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


def test_the_hazard_table_has_a_spread_only_over_several_seeds():
    def run(objective, seed, value):
        return {
            "forget": "alchemy:forget",
            "objective": objective,
            "weights": "hard",
            "seed": seed,
            "nll": [0.5, 9.0 + seed],
            "metrics": {"forget/accuracy": [value, 0.0, 1.0]},
        }

    table = hazard_table.hazard_table(
        {
            "start": {"forget/accuracy": [1.0, 0.97, 1.0]},
            "retrained": {"forget/accuracy": 0.256},
            "chance": 0.25,
            "n": {"forget/accuracy": 180},
            "runs": [run("npo", 0, 0.4), run("npo", 1, 0.6), run("rmu", 0, 1.0)],
        }
    )
    assert "| start model | 1.000 (0.970 to 1.000) |  |  |" in table
    assert "| `alchemy:forget`, `npo`, hard | 0.500 ± 0.141 | 2 | 0.5 → 9.5 |" in table
    assert "| `alchemy:forget`, `rmu`, hard | 1.000 | 1 | 0.5 → 9.0 |" in table
    assert "| retrained model | 0.256 |  |  |" in table


def test_what_the_pages_say_of_the_shipped_run_is_its_verdict():
    for page, name, text in tables.verdict_parts():
        assert f"<!-- {name}: written by benchmarks.tables -->\n{text}\n<!-- end" in page.read_text(
            encoding="utf-8"
        )


@pytest.mark.results
def test_the_stored_outcomes_are_those_of_the_shipped_run():
    stored = json.loads((RESULTS / "outcomes.json").read_text(encoding="utf-8"))
    assert stored["outcomes"] == shipped_outcomes()


@pytest.mark.results
@pytest.mark.parametrize("page", ["performance", "reliability", "results"])
def test_a_generated_page_is_that_of_the_committed_results(page, tmp_path, monkeypatch):
    module = {"performance": performance, "reliability": reliability, "results": tables}[page]
    committed, renewed = module.PAGE.read_text(encoding="utf-8"), tmp_path / f"{page}.md"
    for name in ("_renew", "draw"):
        monkeypatch.setattr(module, name, lambda *_: None, raising=False)
    monkeypatch.setattr(module, "PAGE", renewed)
    (module.write_page if page == "reliability" else module.write)()
    assert renewed.read_text(encoding="utf-8") == committed
