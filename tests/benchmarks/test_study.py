"""The study: its plan, its halves, equal tuning, what an interrupted one stores, and what it refuses."""

from __future__ import annotations

import json
from contextlib import nullcontext
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch

from benchmarks import study
from benchmarks.lower_layers import LowerLayers
from benchmarks.study import Store, Study, world_of
from benchmarks.study_measures import TEST, VALIDATION, Case, Point, halved
from benchmarks.study_plan import LEADING, RULES, WORLDS, Budget, Method, planned, stored_rows
from tokenunlearn.errors import TokenUnlearnError
from tokenunlearn.evaluation.suites.suite import SUITES

DEMO = WORLDS["demo"]
TINY = {"trials": 2, "steps": 2, "limit": 4}


def tiny(path, **options):
    study.main(worlds="demo", seeds="0", rules="hard", objectives="npo", out=path, **(TINY | options))


def test_leading_rules_of_all_worlds_come_before_others_and_seeds_last():
    worlds = [WORLDS["demo"], WORLDS["smollm2-tofu"]]
    cells = planned(worlds, None, RULES, ("npo", "rmu"))
    first = cells[: 2 * 2 * len(LEADING)]
    assert {method.rule for _, _, method in first} == set(LEADING)
    assert {world.name for _, world, _ in first} == {"demo", "smollm2-tofu"}
    assert [seed for seed, _, _ in cells] == sorted(seed for seed, _, _ in cells)
    seeds = {world.name: {s for s, w, _ in cells if w is world} for world in worlds}
    assert seeds == {"demo": set(range(5)), "smollm2-tofu": set(range(3))}
    assert len(cells) == (5 + 3) * 2 * len(RULES)


def test_halves_are_disjoint_cover_all_questions_and_do_not_change():
    part = SUITES["authors"].parts("forget10", "retain90", None)["forget"]
    halves = [{s.id for s in halved(part, half, 100).samples} for half in (VALIDATION, TEST)]
    assert not halves[0] & halves[1]
    assert len(halves[0] | halves[1]) == len(part.samples) == 72
    assert [s.id for s in halved(part, TEST, 100).samples] == [s.id for s in halved(part, TEST, 100).samples]
    assert len(halved(part, TEST, 5).samples) == 5


def bare_study(tmp_path, trials=3):
    """A study whose trials score lambda, without a model."""
    world = replace(DEMO, budget=Budget(trials=trials))
    made = Study(world, Store(tmp_path / "demo.jsonl"))
    made.recommended = lambda objective: {"learning_rate": 1e-3, "lambda_": 10.0}
    made.calls = []

    def trial(method, tuned):
        made.calls.append(tuned)
        return {"tuned": tuned, "step": 6, "score": -abs(tuned["lambda_"] - 12.0), "seconds": 1.0}

    made.trial = trial
    made.store.add({"world": world.described()})
    return made


def test_every_method_has_the_same_number_of_trials_and_the_recommended_one_first(tmp_path):
    made = bare_study(tmp_path)
    for rule in ("uniform", "hard"):
        best = made.tuned(Method("npo", rule))
        assert best["score"] == max(-abs(call["lambda_"] - 12.0) for call in made.calls[-3:])
    assert len(made.calls) == 6
    assert made.calls[:3] == made.calls[3:]  # the same proposals after the same scores
    assert made.calls[0] == {"learning_rate": 1e-3, "lambda_": 10.0}
    assert all(1e-3 / 3 <= c["learning_rate"] <= 3e-3 and 2 <= c["lambda_"] <= 50 for c in made.calls)


def test_interrupted_tuning_goes_on_with_the_trials_that_it_would_have_had(tmp_path):
    whole, cut = bare_study(tmp_path / "whole"), bare_study(tmp_path / "cut", trials=3)
    whole.tuned(Method("npo", "hard"))
    cut.budget = Budget(trials=2)
    cut.tuned(Method("npo", "hard"))
    again = Study(replace(DEMO, budget=Budget(trials=3)), Store(cut.store.path))
    again.recommended, again.trial, again.calls = cut.recommended, cut.trial, cut.calls
    again.tuned(Method("npo", "hard"))
    assert cut.calls == whole.calls
    assert [row["number"] for row in stored_rows(cut.store.path)[1:]] == [0, 1, 2]


def test_score_falls_by_one_for_every_two_percent_of_utility_below_the_floor(tmp_path):
    made = Study(DEMO, Store(tmp_path / "demo.jsonl"))
    start, retrained = Point((1.0, 0.9), (), 1.0, 0.5), Point((0.2, 0.1), (), 1.0, 0.5)
    made.__dict__["case"] = SimpleNamespace(levels=(start, retrained))
    assert made.score(retrained.p, 0.5) == pytest.approx(1.0)
    assert made.score(start.p, 0.5) == pytest.approx(0.0)
    assert made.score(retrained.p, 0.5 * 0.94) == pytest.approx(-1.0)
    assert made.score((0.0, 0.0), 0.5) < 1.0  # beyond the retrained model's level is no gain


def test_results_of_another_budget_are_not_mixed(tmp_path):
    store = Store(tmp_path / "demo.jsonl")
    store.add({"world": DEMO.described()})
    Study(replace(DEMO, seeds=9), store)
    with pytest.raises(TokenUnlearnError, match="holds results of other settings"):
        Study(replace(DEMO, budget=Budget(steps=7)), Store(store.path))


def test_a_world_of_all_layers_is_described_as_before():
    assert "first_layer" not in DEMO.described()
    assert WORLDS["smollm2-tofu"].described()["first_layer"] == 18


def test_runs_train_the_layers_of_their_world_and_rmu_its_own(tiny_lm, tmp_path, monkeypatch):
    made = Study(replace(DEMO, first_layer=1), Store(tmp_path / "demo.jsonl"))
    model = tiny_lm.copy(share_weights=True)
    made.__dict__["case"] = SimpleNamespace(model=model, forget=None, retain=None, lower=LowerLayers(1))
    made.__dict__["rules"] = SimpleNamespace(settings=lambda rule: {}, weights=lambda rule: None)
    seen = []

    def unlearn(model, *_, first_layer, **settings):
        seen.append((settings["objective"], first_layer, "forward" in vars(model.model.model)))

    monkeypatch.setattr("tokenunlearn.unlearn", unlearn)
    for objective in ("npo", "rmu"):
        made.unlearn(Method(objective, "hard"), 0, {}, None)
    assert seen == [("npo", 1, True), ("rmu", 0, False)]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"worlds": "moon"}, 'There is no world "moon"'),
        ({"rules": "hard,half"}, 'There is no rule "half"'),
        ({"objectives": "nop"}, 'There is no objective "nop"'),
        ({"model": "smollm2", "suite": "tofu"}, 'No retrained model is known for "smollm2"'),
        ({"model": "demo", "suite": "moon"}, 'There is no suite "moon"'),
    ],
)
def test_a_wrong_name_is_refused_before_anything_runs(options, said, tmp_path):
    with pytest.raises(TokenUnlearnError, match=said):
        study.main(out=tmp_path, **options)
    assert not list(tmp_path.iterdir())


def test_two_studies_of_one_world_at_once_do_not_drop_each_others_rows(tmp_path, monkeypatch):
    def at_once(made, method, seed):
        with pytest.raises(TokenUnlearnError, match="Another process works on"):
            tiny(tmp_path)
        with study.alone(tmp_path / "demo-prose.jsonl"):
            return {"kind": "cell", **method.named, "seed": seed, "seconds": 1.0}

    monkeypatch.setattr(Study, "cell", at_once)
    tiny(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["demo.jsonl"]
    assert [row["kind"] for row in stored_rows(tmp_path / "demo.jsonl")] == ["cell"]


def test_a_public_checkpoint_is_a_world_with_its_own_retrained_model():
    world = world_of("tofu_Llama-3.2-1B-Instruct_full", "tofu", "forget05")
    assert world.retrained == "tofu_Llama-3.2-1B-Instruct_retain95"
    assert (world.retain, world.measured) == ("retain95", "retain_perturbed")


@pytest.mark.slow
def test_a_cell_is_tuned_measured_and_stored_once(tmp_path, capsys):
    tiny(tmp_path)
    head, *rows = stored_rows(tmp_path / "demo.jsonl")
    assert [row["kind"] for row in rows] == ["trial", "trial", "cell"]
    cell = rows[-1]
    assert [point["step"] for point in cell["curve"]] == [2]
    assert len(cell["outcomes"]) == len(head["forget_ids"]) == len(cell["curve"][0]["p"]) == 4
    assert [*cell["answers"]] == [*head["retrained"]["answers"]] == head["forget_ids"]
    assert {"forget_quality", "model_utility", "retain/retained_pairs"} <= cell["metrics"].keys()
    assert head["retrained"]["metrics"]["forget_quality"] == 1.0
    assert "npo, hard, seed 0" in capsys.readouterr().out
    before = (tmp_path / "demo.jsonl").read_bytes()
    tiny(tmp_path)
    assert (tmp_path / "demo.jsonl").read_bytes() == before
    assert head["selection"]["selection"] == "hard"
    (tmp_path / "demo.jsonl").write_text(json.dumps(head | {"selection": {"threshold": 0.1}}) + "\n")
    with pytest.raises(TokenUnlearnError, match="another default selection"):
        tiny(tmp_path)


def upper_scaled(lm, factor):
    """A model that differs from another in the layers from 4 on."""
    copied = lm.copy(share_weights=False)
    with torch.no_grad():
        for parameter in copied.model.model.layers[4:].parameters():
            parameter.mul_(factor)
    return copied


@pytest.mark.slow
def test_figures_are_those_of_lower_layers_that_run_every_time(tmp_path, monkeypatch):
    monkeypatch.setitem(WORLDS, "demo", replace(DEMO, first_layer=4))
    monkeypatch.setattr(Case, "_retrained", property(lambda case: upper_scaled(case.model, 0.9)))
    tiny(tmp_path / "once")
    monkeypatch.setattr(LowerLayers, "once", lambda self, lm: nullcontext())
    tiny(tmp_path / "always")
    (head, *rows), (other, *others) = (
        stored_rows(tmp_path / name / "demo.jsonl") for name in ("once", "always")
    )
    assert head["world"]["first_layer"] == 4
    for name in ("start", "retrained"):
        assert head[name]["p"] == pytest.approx(other[name]["p"], rel=1e-3)
        assert head[name]["metrics"] == pytest.approx(other[name]["metrics"], rel=1e-3)
    for row, again in zip(rows, others, strict=True):
        assert row["tuned"] == again["tuned"]
        assert [p["utility"] for p in row["curve"]] == pytest.approx(
            [p["utility"] for p in again["curve"]], rel=1e-3
        )
    assert rows[-1]["metrics"] == pytest.approx(others[-1]["metrics"], rel=1e-3)
    assert rows[-1]["curve"][-1]["p"] == pytest.approx(others[-1]["curve"][-1]["p"], rel=1e-3)
