"""The benchmark of selectivity: what is run, and which tokens count as gold."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

import tokenunlearn as tu
from benchmarks import selectivity, selectivity_table, tables
from benchmarks.selectivity import (
    Case,
    Probe,
    cluster,
    top_quantile,
)
from tokenunlearn.datasets.samples import Sample, SampleSet
from tokenunlearn.errors import TokenUnlearnError

SETTINGS = {"steps": 2, "batch_size": 2, "retain_batch_size": 2}


@pytest.fixture(scope="module")
def case():
    torch.set_num_threads(1)
    forget, retain = tu.load_samples("authors:forget10"), tu.load_samples("authors:retain90")
    four = SampleSet(forget.name, (*forget[:2], *forget[12:14]))  # of two authors
    return Case(tu.load_model("demo"), four, retain[:4], limit=4, every=1)


@pytest.mark.parametrize(
    ("sample_id", "subject"),
    [
        ("tofu-3600", "tofu-180"),
        ("tofu-3619", "tofu-180"),
        ("tofu-3620", "tofu-181"),
        ("prose-people-11-0", "prose-people-11"),
        ("authors-054-03", "authors-054"),
    ],
)
def test_samples_of_one_author_or_subject_form_a_cluster(sample_id, subject):
    assert cluster(sample_id) == subject


def test_gold_weights_are_on_gold_tokens_alone(case):
    weights = case.weights("gold", 0)
    for sample, row in zip(case.forget, weights.weights, strict=True):
        encoding = case.model.encode(sample)
        texts = [
            sample.answer[a:b].strip() for (a, b), w in zip(encoding.answer_offsets, row, strict=True) if w
        ]
        facts = "".join(sample.facts).replace(" ", "")
        assert "".join(texts).rstrip(".,") == facts
        assert set(row) == {0.0, 1.0} and row[-1] == 0
    assert weights.rule == {"selection": "gold"}


@pytest.mark.slow
def test_controls_and_the_paper_weight_as_many_tokens_as_the_default(case):
    default = case.weights("default", 0)
    for rule in ("random", "inverted"):
        weights = case.weights(rule, 0)
        assert [w.sum() for w in weights.weights] == [w.sum() for w in default.weights]
        again, other = case.weights(rule, 0), case.weights(rule, 1)
        assert all(map(np.array_equal, weights.weights, again.weights))
        assert not all(map(np.array_equal, weights.weights, other.weights))
    assert case.weights("paper", 0).selected == default.selected
    uniform = case.weights("uniform", 0)
    assert uniform.selected == uniform.tokens == default.tokens


@pytest.mark.parametrize("selected", [1, 40, 99, 100])
def test_the_quantile_selects_so_many_tokens(selected):
    scores = (1 + np.random.default_rng(0).permutation(100)) / 100  # a quantile selects no zeros
    (weights,) = tu.HardSelection(quantile=top_quantile(selected, 100)).weights([scores])
    assert weights.sum() == selected


def test_a_probe_sums_gold_and_other_tokens_by_cluster_without_the_end_of_turn(case):
    probe = case.probe
    assert probe.clusters == ("authors-054", "authors-055")
    lengths = [case.model.encode(s).response_length for s in case.forget]
    assert probe.counts.sum() == sum(lengths) - len(lengths)
    nll, p = probe.sums(case.model, bf16=False)
    assert (nll.sum() / probe.counts.sum()) < 0.5
    assert (0.5 < p / probe.counts).all() and (p / probe.counts <= 1).all()


def test_samples_without_gold_spans_are_not_measured(case):
    unknown = SampleSet("x", tuple(Sample(s.id, s.question, s.answer) for s in case.forget[:2]))
    with pytest.raises(TokenUnlearnError, match="no gold spans"):
        Probe.of(case.model, unknown, 4)
    mixed = SampleSet("x", (*unknown, *case.forget[2:]))
    assert [e.sample_id for e in Probe.of(case.model, mixed, 4).encodings] == [s.id for s in case.forget[2:]]


@pytest.mark.slow
def test_a_run_with_equal_settings_is_not_repeated(case, tmp_path, monkeypatch):
    monkeypatch.setattr(selectivity, "PATH", tmp_path / "selectivity.json")
    calls = []

    def unlearn(*args, **settings):
        calls.append((args[2].rule["selection"], settings["config"].steps))
        return tu_unlearn(*args, **settings)

    tu_unlearn = tu.unlearn
    monkeypatch.setattr(selectivity.tu, "unlearn", unlearn)
    selectivity.run_case(case, ["gold"], [0], SETTINGS)
    selectivity.run_case(case, ["uniform", "gold"], [0], SETTINGS)
    assert calls == [("gold", 2), ("uniform", 2)]

    result = json.loads(selectivity.PATH.read_text())
    assert [(run["model"], run["rule"], run["seed"]) for run in result["runs"]] == [
        ("demo", "gold", 0),
        ("demo", "uniform", 0),
    ]
    for run in result["runs"]:
        assert [point["step"] for point in run["curve"]] == [0, 1, 2]
        assert run["settings"]["config"]["regularizer"] == "kl"
        assert np.shape(run["curve"][1]["nll"]["gold"]) == (2,)
    assert result["runs"][0]["weight_on_gold"] == 1.0
    assert result["runs"][0]["curve"][0] == result["runs"][1]["curve"][0]
    assert [row["retrained"] for row in result["retrained"]] == ["demo-retrained"]

    table = result["tables"]["demo"]
    assert [row["rule"] for row in table["rows"]] == ["uniform", "gold"]
    assert table["start"]["p_gold"][0] > 0.5 > table["retrained"]["steps"]["p_gold"][0]
    gold = table["rows"][1]["steps"]
    assert gold["selectivity"][0] == pytest.approx(gold["change_gold"][0] - gold["change_other"][0], abs=1e-4)
    lines = selectivity_table.selectivity_table(table).splitlines()
    assert [line.split(" | ")[0] for line in lines[2:]] == [
        "| start model",
        "| uniform",
        "| gold",
        "| retrained model",
    ]
    assert len({line.count("|") for line in lines}) == 1
    assert "### demo" in tables.SECTIONS["selectivity"](result)

    selectivity.run_case(case, ["gold"], [0], SETTINGS | {"steps": 1})
    assert calls[2:] == [("gold", 1)]
    result = json.loads(selectivity.PATH.read_text())
    assert [(run["rule"], len(run["curve"])) for run in result["runs"]] == [("uniform", 3), ("gold", 2)]
    assert [row["rule"] for row in result["tables"]["demo"]["rows"]] == ["gold"]
    with pytest.raises(TokenUnlearnError, match='no rule "best"'):
        selectivity.run_case(case, ["best"], [0], SETTINGS)
