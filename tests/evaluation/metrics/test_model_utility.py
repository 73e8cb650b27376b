"""Model utility in a report."""

import pytest

from tokenunlearn.datasets.samples import SampleSet
from tokenunlearn.evaluation.measurement import Part
from tokenunlearn.evaluation.metrics.metric import Column, Comparison
from tokenunlearn.evaluation.metrics.utility import MODEL_UTILITY


def compared(rouge):
    rows = {"probability": (0.5, 0.5), "truth_ratio": (0.5, 0.5), "rouge_l": rouge}
    columns = {f"retain/{name}": Column(values, ("a", "b"), "higher") for name, values in rows.items()}
    return Comparison({"retain": Part(SampleSet("r", ()), "retain")}, columns, None, None, {}, {}, None)


def test_what_makes_it_0_is_noted():
    case = compared((0.0, 0.0))
    (result,) = MODEL_UTILITY.of(case)
    assert result.value == 0
    assert case.notes == ["Model utility is a harmonic mean, and 0 because of retain/rouge_l."]


def test_a_mean_above_0_needs_no_note():
    case = compared((0.0, 1.0))
    (result,) = MODEL_UTILITY.of(case)
    assert result.value == pytest.approx(0.5)
    assert case.notes == []
