"""How much of some samples a model recalls, from one forward pass."""

from dataclasses import replace

import numpy as np
import pytest

from tokenunlearn.datasets.samples import Sample, document
from tokenunlearn.evaluation.recall import recall, recalled_rows
from tokenunlearn.evaluation.result import bootstrap_interval, wilson_interval
from tokenunlearn.models.forward import response_nll, response_nll_and_rank


@pytest.fixture
def known():
    return [Sample(f"s{i}", f"Who lives in house {i}?", f"Baker {i} does.", span=((0, 7),)) for i in range(4)]


@pytest.mark.parametrize(
    ("rows", "interval"),
    [([0.0] * 4, wilson_interval(0, 4)), ([0.0, 0.5, 0.0, 1.0], bootstrap_interval([0.0, 0.5, 0.0, 1.0]))],
)
def test_the_interval_has_a_width_where_all_rows_are_equal(tiny_lm, known, monkeypatch, rows, interval):
    monkeypatch.setattr("tokenunlearn.evaluation.recall.recalled_rows", lambda *_: rows)
    result = recall(tiny_lm, known)
    assert (result.name, result.value, result.n) == ("spans_recalled", sum(rows) / 4, 4)
    assert result.interval == interval
    assert result.interval[0] < result.interval[1]


def test_a_span_is_recalled_where_all_its_tokens_are_the_most_probable_ones(tiny_lm, known):
    encodings = tiny_lm.encode_all(known)
    ranks = [ranks for _, ranks in response_nll_and_rank(tiny_lm, encodings)]
    expected = [
        float(all(r == 1 for r, (start, _) in zip(rank.tolist(), e.answer_offsets, strict=True) if start < 7))
        for rank, e in zip(ranks, encodings, strict=True)
    ]
    assert recalled_rows(tiny_lm, encodings, known) == expected


def test_without_gold_spans_it_is_the_mean_probability_of_the_answers(tiny_lm, known):
    plain = [replace(sample, span=()) for sample in known]
    result = recall(tiny_lm, plain)
    nlls = response_nll(tiny_lm, tiny_lm.encode_all(plain))
    assert result.name == "probability"
    assert result.value == pytest.approx(np.mean([np.exp(-nll.mean().item()) for nll in nlls]))
    assert result.interval[0] <= result.value <= result.interval[1]


def test_samples_with_gold_spans_are_preferred_and_spread(tiny_lm, known):
    mixed = [replace(sample, span=()) if i % 2 else sample for i, sample in enumerate(known)]
    assert recall(tiny_lm, mixed).sample_ids == ("s0", "s2")
    assert recall(tiny_lm, known, limit=2).sample_ids == ("s0", "s2")


def test_a_document_has_a_probability(tiny_lm):
    result = recall(tiny_lm, tiny_lm.chunk([document("d", "The baker lives here.", ((4, 9),))]))
    assert (result.name, result.n) == ("probability", 1)
