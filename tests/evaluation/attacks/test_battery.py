"""The battery: every attack on both models, the worst case beside the plain one, bad input."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from tokenunlearn.errors import TokenUnlearnError
from tokenunlearn.evaluation import Report
from tokenunlearn.evaluation.attacks import ATTACKS, attack, battery
from tokenunlearn.evaluation.attacks.target import best


@pytest.fixture
def fixed(monkeypatch):
    """Attacks with known rows, which differ by the model's name."""

    def one(target):
        return {"one/gold_span": [1.0, 0.0, None] if target.name == "" else [0.0, 0.0, None]}

    def curve(target):
        height = 0.75 if target.name == "" else 0.5
        area = {"curve/gold_span_area": [height, height, None]}
        return {"curve/gold_span": [0.0, 0.0, 1.0], "curve/chance": [0.25, 0.25, None]} | area

    monkeypatch.setattr(battery, "ATTACKS", {"one": one, "curve": curve, "none": lambda target: {}})


def test_results_stand_beside_the_retrained_models(tiny_lm, town_samples, fixed):
    report = attack(tiny_lm, town_samples[:3], tiny_lm, attacks=["one", "curve", "none"])
    assert (report["one/gold_span"].value, report["one/gold_span"].retrained) == (0.5, 0.0)
    assert report["worst/gold_span"].rows == (1.0, 0.0, 1.0)
    assert report["worst/gold_span"].retrained == pytest.approx(1 / 3)
    between = report["curve/gold_span_area_between"]
    assert (between.value, between.n, between.retrained) == (0.25, 2, 0.0)
    area = report["curve/gold_span_area"]
    assert (area.retrained, area.retrained_rows) == (0.5, (0.5, 0.5, None))
    assert report["plain/gold_span"].n == 3
    assert (report["curve/gold_span"].chance, report["one/gold_span"].chance) == (0.25, None)
    assert "curve/chance" not in report.metrics and "Guessing scores 0.250 in curve." in report.notes
    assert "none: skipped, because too few samples have the fields it needs." in report.notes
    assert "Strongest: one with 0.500, 0.000 on the retrained model." in report.notes


def test_an_attack_without_a_row_is_said_to_be_skipped(tiny_lm, town_samples, fixed, monkeypatch):
    monkeypatch.setitem(battery.ATTACKS, "none", lambda target: {"none/gold_span": [None] * 3})
    report = attack(tiny_lm, town_samples[:3], attacks=["none"])
    assert "none/gold_span" not in report.metrics
    assert "none: skipped, because too few samples have the fields it needs." in report.notes


def test_without_a_retrained_model_there_are_no_values_of_it(tiny_lm, town_samples, fixed):
    report = attack(tiny_lm, town_samples[:3], attacks=["one", "curve"])
    assert all(result.retrained is None for result in report.metrics.values())
    assert "curve/gold_span_area_between" not in report.metrics


def test_the_plain_question_is_no_attack(tiny_lm, town_samples, fixed, monkeypatch):
    report = attack(tiny_lm, town_samples[:3], attacks=["none"])
    assert set(report.metrics) == {"plain/gold_span"}
    assert not any(note.startswith("Strongest") for note in report.notes)
    monkeypatch.setattr(battery.Target, "recovered", lambda *_, **__: [1.0, 1.0, 1.0])
    report = attack(tiny_lm, town_samples[:3], attacks=["one"])
    assert report["plain/gold_span"].value == 1.0 and "Strongest: one with 0.500." in report.notes


def test_the_strongest_attack_is_the_one_furthest_above_the_retrained_model(
    tiny_lm, town_samples, fixed, monkeypatch
):
    monkeypatch.setitem(battery.ATTACKS, "guess", lambda target: {"guess/gold_span": [1.0, 1.0, 1.0]})
    report = attack(tiny_lm, town_samples[:3], tiny_lm, attacks=["guess", "one"])
    assert "Strongest: one with 0.500, 0.000 on the retrained model." in report.notes


def test_bad_input_is_one_sentence(tiny_lm, town_samples):
    with pytest.raises(TokenUnlearnError, match='There is no attack "magic"; use any of paraphrase, prefix'):
        attack(tiny_lm, town_samples, attacks=["prefix", "magic"])
    with pytest.raises(TokenUnlearnError, match="No attack was given"):
        attack(tiny_lm, town_samples, attacks=[])
    with pytest.raises(TokenUnlearnError, match="at least 2 samples, not 1"):
        attack(tiny_lm, town_samples[:1])


@pytest.mark.slow
def test_every_attack_on_a_tiny_model(tiny_lm, town_samples, tmp_path):
    other = tiny_lm.copy(share_weights=False)
    with torch.no_grad():
        other.model.get_output_embeddings().weight.mul_(0.5)
    phases: set[str] = set()
    report = attack(
        tiny_lm,
        town_samples[:10],
        replace(other, name="other"),
        progress=lambda phase, done, total: phases.add(phase),
    )
    assert {name.split("/")[0] for name in report.metrics} == {
        "plain", "paraphrase", "prefix", "answer_start", "best_of_8", "int8", "int4", "probe",
        "relearning_01", "relearning_05", "relearning_20", "worst",
    }  # fmt: skip
    stated = [n for n in report.metrics if n.endswith("/gold_span") and not n.startswith("worst")]
    assert list(report["worst/gold_span"].rows) == best([report[name].rows for name in stated])
    assert all(result.retrained is not None for result in report.metrics.values() if result.n)
    assert report.settings == {
        "samples": "towns",
        "attacks": list(ATTACKS),
        "limit": None,
        "seed": 0,
        "retrained": "other",
    }
    assert "retrained: probe" in phases
    path = report.save(tmp_path / "attacks.json")
    assert Report.load(path)["worst/gold_span"].n == 10
