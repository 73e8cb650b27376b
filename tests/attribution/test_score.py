"""Scoring end to end on a small model."""

from __future__ import annotations

import numpy as np
import pytest

import tokenunlearn as tu
from tokenunlearn.attribution.importance import ImportanceSettings
from tokenunlearn.attribution.masking import measure_masking
from tokenunlearn.attribution.masking_settings import MaskingSettings
from tokenunlearn.attribution.score import split_settings
from tokenunlearn.datasets.samples import Sample, SampleSet
from tokenunlearn.errors import SampleTooLongError, TokenUnlearnError

SAMPLES = SampleSet(
    "file:three.jsonl",
    (
        Sample("a", "Where was Ada Miller born?", "Ada Miller was born in Lisbon.", span=((23, 29),)),
        Sample("b", "Which prize did Bram Holt win?", "The Silver Pen."),
        Sample("c", "谁?", "老舍 🎉"),
    ),
)


def test_score_end_to_end(tiny_lm, tmp_path):
    scores = tu.score(tiny_lm, SAMPLES)
    assert [x.sample_id for x in scores.samples] == ["a", "b", "c"]
    assert (scores.source, scores.model, scores.revision) == (SAMPLES.name, tiny_lm.name, tiny_lm.revision)
    assert tu.ScoreSet.load(scores.save(tmp_path / "s.parquet")) == scores
    for sample, x, k, s in zip(SAMPLES, scores.samples, scores.knowledge, scores.importance, strict=True):
        encoding = tiny_lm.encode(sample)
        assert x.token_ids == encoding.input_ids[encoding.prompt_length :]
        assert x.prompt_texts + x.texts == encoding.texts
        sizes = {len(v) for v in (x.texts, x.offsets, x.nll, x.entropy, x.losses.T, x.copied, k, s)}
        assert sizes == {encoding.response_length}
        (measured,) = measure_masking(tiny_lm, [encoding])
        assert x.losses == pytest.approx(measured.losses, abs=1e-5)
        assert k == pytest.approx(np.where(x.copied, 0, measured.losses.clip(0).sum(0)), abs=1e-4)
        assert s.min() >= 0 and s.max() <= 1
    gold = scores.samples[0]
    told = {text.strip() for text, inside in zip(gold.texts, gold.gold, strict=True) if inside}
    assert "".join(t for t in gold.texts if t.strip() in told).strip() == "Lisbon"


def test_scoring_again_gives_the_same_hash(tiny_lm):
    assert tu.score(tiny_lm, SAMPLES[:1]).hash == tu.score(tiny_lm, SAMPLES[:1]).hash


def test_preset_paper_is_the_published_formula(tiny_lm):
    scores = tu.score(tiny_lm, SAMPLES, preset="paper")
    drop = np.concatenate([np.abs(x.losses[0]) for x in scores.samples]).astype(np.float64)
    entropy = np.concatenate([x.entropy for x in scores.samples]).astype(np.float64)
    assert all(len(x.contexts) == 1 for x in scores.samples)
    low = [(v - v.min()) / (v.max() - v.min()) for v in (drop, entropy)]
    assert np.concatenate(scores.importance) == pytest.approx(0.5 * low[0] + 0.5 * low[1], abs=1e-5)


def test_settings_go_where_they_belong():
    assert split_settings() == (MaskingSettings(), ImportanceSettings())
    masking, mixing = split_settings("paper", alpha=0.9, unit="token", seed=None)
    assert (masking.mask, masking.unit, masking.seed) == ("prompt", "token", 0)
    assert (mixing.alpha, mixing.fusion, mixing.copy_guard) == (0.9, "sum", False)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"preset": "papers"}, 'no preset "papers"; use one of default, leave-one-out, paper'),
        ({"alfa": 0.5}, 'no score setting "alfa"; use one of .*alpha'),
        ({"mask": "half"}, 'mask is "half"; it must be one of'),
        ({"alpha": 3.0}, "alpha is 3.0; it must lie"),
    ],
)
def test_unknown_settings(tiny_lm, settings, message):
    with pytest.raises(TokenUnlearnError, match=message):
        tu.score(tiny_lm, SAMPLES, **settings)


def test_samples_that_cannot_be_scored(tiny_lm):
    with pytest.raises(TokenUnlearnError, match="no samples"):
        tu.score(tiny_lm, SAMPLES[:0])
    with pytest.raises(SampleTooLongError, match="Sample long has"):
        tu.score(tiny_lm, [Sample("long", "Why?", "word " * 300)])
