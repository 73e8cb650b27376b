"""The benchmark of methods: what is run, what is kept of an interrupted one, what the table says."""

from __future__ import annotations

import json
import re
from functools import partial
from statistics import mean

import pytest

import tokenunlearn as tu
from benchmarks import methods, methods_figure, methods_table, tables
from tokenunlearn.errors import TokenUnlearnError
from tokenunlearn.objectives import OBJECTIVES
from tokenunlearn.objectives.npo import NPO
from tokenunlearn.training.settings import UnlearnSettings

STORED = sorted(methods_table.METHODS.glob("*.json"))
RULES = ("sequence-level", "hard", "soft")


def result(model="demo", **runs):
    """A stored result: for each objective and rule two seeds' (forget, utility)."""
    return {
        "model": model,
        "architecture": "LlamaForCausalLM",
        "parameters": 3_200_000,
        "limit": 36,
        "rules": dict.fromkeys(RULES, ""),
        "start": {"forget/gold_span": 1.0, "model_utility": 0.5},
        "runs": [
            {
                "objective": objective,
                "weights": rule,
                "seed": seed,
                "metrics": {"forget/gold_span": forget, "model_utility": utility},
            }
            for objective, rules in runs.items()
            for rule, found in rules.items()
            for seed, (forget, utility) in enumerate(found)
        ],
    }


def cells(table, objective):
    row = next(line for line in table.splitlines() if line.startswith(f"| `{objective}`"))
    return [cell.strip() for cell in row.strip("|").split("|")][1:]


def test_a_cell_is_forget_and_relative_utility_with_their_spread():
    table = methods_table.methods_table(result(npo={"hard": [(0.3, 0.5), (0.1, 0.4)], "soft": [(0.3, 0.5)]}))
    assert cells(table, "npo") == ["–", "0.20 ± 0.14 / 0.90 ± 0.14 (2)", "0.30 / 1.00 (1)"]


@pytest.mark.parametrize(
    ("forget", "utility", "bold"),
    [(0.15, 0.45, True), (0.16, 0.5, False), (0.0, 0.44, False)],
)
def test_bold_is_what_forgets_and_keeps(forget, utility, bold):
    table = methods_table.methods_table(result(npo={"hard": [(forget, utility)]}))
    assert cells(table, "npo")[1].startswith("**") == bold


@pytest.mark.results
@pytest.mark.parametrize("path", STORED, ids=lambda path: path.stem)
def test_recommended_settings_forget_and_keep_with_hard_selection_on_every_model(path):
    stored = json.loads(path.read_text(encoding="utf-8"))
    table = methods_table.methods_table(stored)
    hard = list(stored["rules"]).index("hard")
    measured = stored["configs"]
    assert measured.keys() <= OBJECTIVES.keys()
    found = {objective: cells(table, objective)[hard] for objective in measured}
    assert {name for name, cell in found.items() if not cell.startswith("**")} == set()
    assert all(cell.endswith("(3)") for cell in found.values())
    assert {name: config["steps"] for name, config in measured.items()} == {
        name: UnlearnSettings(objective=name).steps for name in measured
    }


@pytest.mark.results
@pytest.mark.parametrize("path", STORED, ids=lambda path: path.stem)
def test_what_the_docs_say_of_rmu_is_in_the_results(path):
    stored = json.loads(path.read_text(encoding="utf-8"))
    page = (tables.PAGE.parent / "method.md").read_text(encoding="utf-8")
    (row,) = re.findall(rf"^\| `{stored['model']}` \| (.+) \|$", page, re.MULTILINE)
    runs = [r["metrics"] for r in stored["runs"] if (r["objective"], r["weights"]) == ("rmu", "hard")]
    parts = ("forget", "retain", "real_authors", "world_facts")
    assert row.split(" | ") == [f"{mean(run[f'{part}/gold_span'] for run in runs):.2f}" for part in parts]


@pytest.mark.slow
def test_the_figure_has_a_panel_for_each_model(tmp_path):
    path = tmp_path / "methods.png"
    results = [result(npo={r: [(0.1, 0.4)] for r in RULES}), result("demo-neox", rmu={"hard": [(0.9, 0.5)]})]
    methods_figure.draw(results, path)
    assert path.read_bytes().startswith(b"\x89PNG")


@pytest.mark.slow
def test_an_interrupted_benchmark_goes_on_where_it_stopped(tmp_path, monkeypatch):
    monkeypatch.setattr(methods_table, "METHODS", tmp_path)
    monkeypatch.setattr(methods, "RULES", {"hard": tu.HardSelection(threshold=0.8)})
    calls = []

    def unlearn(*args, **settings):
        calls.append((settings["objective"], settings["seed"]))
        return tu_unlearn(*args, **settings)

    tu_unlearn = partial(tu.unlearn, steps=1, batch_size=2, retain_batch_size=2)
    monkeypatch.setattr(methods.tu, "unlearn", unlearn)
    methods._run_model("demo", ["npo"], [0], 2, False)
    methods._run_model("demo", ["npo", "simnpo"], [0], 2, False)
    assert calls == [("npo", 0), ("simnpo", 0)]
    stored = json.loads((tmp_path / "demo.json").read_text())
    assert [run["objective"] for run in stored["runs"]] == ["npo", "simnpo"]
    assert set(stored["runs"][0]["metrics"]) == set(methods.METRICS)
    assert stored["configs"]["npo"]["lambda_"] == 60
    with pytest.raises(TokenUnlearnError, match="give the same limit, or --fresh"):
        methods._run_model("demo", ["npo"], [0], 3, False)
    monkeypatch.setattr(NPO, "recommended", {"lambda_": 1.0})
    methods._run_model("demo", ["npo", "simnpo"], [0], 2, False)
    assert calls[2:] == [("npo", 0)]  # its settings have changed, those of the other have not
