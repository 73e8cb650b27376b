"""Every metric is an object in one list; what the list holds is what a suite measures."""

from __future__ import annotations

import re

import pytest

from tokenunlearn.evaluation import evaluate
from tokenunlearn.evaluation.metrics import METRICS, ChoiceMetric, ModelMetric, PartMetric, SuiteMetric
from tokenunlearn.evaluation.metrics.metric import Column, LeftOut
from tokenunlearn.evaluation.metrics.outcomes import OUTCOMES
from tokenunlearn.evaluation.result import MetricResult


@pytest.mark.parametrize("metric", METRICS.values(), ids=METRICS)
def test_every_metric_says_what_it_is_and_what_it_reads(metric):
    assert re.fullmatch(r"[a-z0-9_]+", metric.name)
    assert re.fullmatch(r"[A-Zp].{20,}\.", metric.help)
    assert metric.needs
    assert isinstance(metric, PartMetric | SuiteMetric | ModelMetric | ChoiceMetric)


@pytest.mark.slow
def test_a_report_holds_nothing_but_listed_metrics(tiny_lm, towns_suite):
    names = {name.rpartition("/")[2].removesuffix("_tpr") for name in evaluate(tiny_lm, towns_suite).metrics}
    assert names <= {*METRICS, *OUTCOMES}


@pytest.mark.slow
def test_a_new_metric_is_one_line_in_the_list(tiny_lm, towns_suite, monkeypatch):
    length = PartMetric(
        "length", "Tokens of the answer.", ("tokens",), lambda part: [len(t.nll) for t in part.tokens]
    )
    spread = SuiteMetric(
        "spread",
        "Difference between two parts.",
        ("forget/length", "retain/length"),
        lambda compared: [
            MetricResult(
                "spread",
                compared.columns["forget/length"].mean - compared.columns["retain/length"].mean,
                1,
                None,
                "lower",
            )
        ],
    )
    for metric in (length, spread):
        monkeypatch.setitem(METRICS, metric.name, metric)
    report = evaluate(tiny_lm, towns_suite)
    samples = tiny_lm.encode_all(_samples(report, "forget"))
    assert report["forget/length"].rows == tuple(e.response_length for e in samples)
    assert report["forget/length"].better == "lower" and report["retain/length"].better == "higher"
    assert "holdout/length" not in report.metrics
    assert report["spread"].value == report["forget/length"].value - report["retain/length"].value


def _samples(report, part):
    from tokenunlearn.datasets.samples import Sample

    return [Sample(row["sample_id"], row["question"], row["answer"]) for row in report.generations[part]]


@pytest.mark.slow
def test_what_a_part_lacks_is_noted_or_passed_over(tiny_lm, towns_suite, monkeypatch):
    def absent(compared):
        raise LeftOut("No dream, because nobody slept.")

    noted = PartMetric("a", "One.", ("dreams",), len, without={"dreams": "no a, because it has none."})
    silent = PartMetric("b", "Two.", ("dreams",), len)
    for metric in (noted, silent, SuiteMetric("c", "Three.", ("dreams",), absent)):
        monkeypatch.setitem(METRICS, metric.name, metric)
    monkeypatch.setattr(
        "tokenunlearn.evaluation.measurement.MeasuredPart.has", lambda part, need: need != "dreams"
    )
    report = evaluate(tiny_lm, towns_suite, limit=2)
    about = [note for note in report.notes if note.startswith("forget")]
    assert about == ["forget: no a, because it has none."]
    assert report.notes[-1] == "No dream, because nobody slept."
    assert not {"forget/a", "forget/b", "c"} & set(report.metrics)


def test_columns_leave_out_rows_without_a_value():
    column = Column((1.0, None, 4.0), ("a", "b", "c"), "lower", members=2)
    assert column.mean == 2.5
    assert [group.tolist()[:1] for group in column.groups] == [[1.0], [4.0]]
