"""A plan is one frozen spec for each configuration, with a name for what differs."""

from __future__ import annotations

from dataclasses import asdict

from tokenunlearn.evaluation.watch import WatchSettings
from tokenunlearn.runs.grid import make_grid, with_controls
from tokenunlearn.runs.plan import RunPlan

RULE = {"selection": "hard", "threshold": 0.8}


def plan_of(values, **more):
    return RunPlan("demo", "authors:forget10", "authors:retain90", RULE, make_grid(values), **more)


def test_a_single_run_has_its_label_alone():
    (spec,) = plan_of({}, label="mine").specs()
    assert spec.label == "mine"
    assert plan_of({}).differences == [""]
    assert plan_of({}).specs()[0].label == "altnpo-hard"


def test_specs_share_all_but_their_configuration():
    watch = WatchSettings(5)
    plan = plan_of({"seed": [0, 1]}, label="mine", evaluate=24, watch=watch, score_hash="abc")
    first, second = plan.specs()
    assert (first.label, second.label) == ("mine: seed 0", "mine: seed 1")
    assert [spec.config for spec in (first, second)] == [asdict(config) for config in plan.configs]
    different = {name for name, value in asdict(first).items() if value != asdict(second)[name]}
    assert different <= {"id", "label", "config", "created"}
    assert (first.rule, first.evaluate, first.score_hash) == (RULE, 24, "abc")
    assert first.watch == watch.described()


def test_no_two_runs_share_an_id(monkeypatch):
    tokens = iter(["aa", "aa", "bb"])
    monkeypatch.setattr("tokenunlearn.runs.spec.secrets.token_hex", lambda count: next(tokens))
    first, second = plan_of({"steps": [1, 2]}).specs()
    assert first.id[:-2] == second.id[:-2] and (first.id[-2:], second.id[-2:]) == ("aa", "bb")


def test_rows_tell_controls_apart():
    plan = RunPlan("demo", "authors:forget10", "", RULE, with_controls(make_grid({"steps": [3]})))
    assert [row["weights"] for row in plan.rows()] == ["selection", "uniform", "random", "inverted"]
    assert [row["run"] for row in plan.rows()] == [1, 2, 3, 4]
    assert plan.rows()[1]["differs in"] == "control uniform"
