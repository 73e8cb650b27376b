"""Scoring end to end on a small model."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace

import numpy as np
import pytest
import torch

import tokenunlearn as tu
from tests.models.architectures import ARCHITECTURES
from tokenunlearn.attribution.importance import ImportanceSettings
from tokenunlearn.attribution.masking import measure_masking
from tokenunlearn.attribution.masking_settings import MaskingSettings
from tokenunlearn.attribution.prefix import prefix_knowledge
from tokenunlearn.attribution.score import split_settings
from tokenunlearn.attribution.signals import SIGNALS
from tokenunlearn.datasets.samples import Sample, SampleSet, Turn
from tokenunlearn.errors import SampleTooLongError, TokenUnlearnError
from tokenunlearn.models import loading
from tokenunlearn.models.entropy import response_nll_and_entropy

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


def test_tokens_are_replaced_where_the_mask_has_no_effect(family_lm):
    lm = family_lm("rwkv", **ARCHITECTURES["rwkv"])
    with pytest.warns(UserWarning, match=r'"tiny-rwkv" ignores the attention mask, .* \(operator token\)'):
        scores = tu.score(lm, SAMPLES)
    assert scores.masking["operator"] == "token"
    assert scores == tu.score(lm, SAMPLES, operator="token")
    assert all(np.abs(x.losses).max() > 0.01 for x in scores.samples[:2])
    assert tu.score(lm, SAMPLES, operator="embedding").masking["operator"] == "embedding"


def test_scoring_again_gives_the_same_hash(tiny_lm):
    assert tu.score(tiny_lm, SAMPLES[:1]).hash == tu.score(tiny_lm, SAMPLES[:1]).hash


@pytest.fixture
def base(family_lm, monkeypatch):
    """A model of another family and the same vocabulary, which loads as any base model."""
    lm = replace(family_lm("qwen3"), revision="b" * 16)
    monkeypatch.setattr(loading, "load_model", lambda name, **_: lm)
    return lm


def test_nothing_is_measured_that_was_not_asked_for(tiny_lm):
    scores = tu.score(tiny_lm, SAMPLES)
    assert scores.options == frozenset() and "base_model" not in scores.masking


def test_prefix_and_base_model_on_request(tiny_lm, base, tmp_path):
    calls = []
    scores = tu.score(
        tiny_lm, SAMPLES, prefix=True, base_model="any", progress=lambda *now: calls.append(now)
    )
    assert scores.options == {"prefix", "base_model"}
    assert (scores.masking["base_model"], scores.masking["base_revision"]) == (base.name, base.revision)
    assert calls == sorted(calls) and calls[-1] == (9, 9)  # three samples, three measurements each
    encodings = tiny_lm.encode_all(SAMPLES)
    measured = zip(
        scores.samples,
        prefix_knowledge(tiny_lm, encodings),
        response_nll_and_entropy(base, encodings),
        strict=True,
    )
    gaps, entropies, prefixes = (SIGNALS[n].of(scores) for n in ("gap", "base entropy", "prefix masking"))
    for i, (x, prefix, (nll, entropy)) in enumerate(measured):
        assert x.prefix_knowledge == pytest.approx(prefix, abs=1e-5)
        assert (x.base_nll, x.base_entropy) == (
            pytest.approx(nll, abs=1e-5),
            pytest.approx(entropy, abs=1e-5),
        )
        for t, word in enumerate(x.words):
            own = x.words == word
            assert gaps[i][t] == pytest.approx((nll - x.nll)[own].sum(), abs=1e-4)
            assert entropies[i][t] == pytest.approx(entropy[own].sum(), abs=1e-4)
            gained = prefix.clip(0) * ~x.copied
            assert prefixes[i][t] == pytest.approx(gained[own].sum(), abs=1e-4)
    plain = tu.score(tiny_lm, SAMPLES)
    assert plain.hash != scores.hash and not plain.options
    assert [s.tolist() for s in plain.importance] == [s.tolist() for s in scores.importance]
    loaded = tu.ScoreSet.load(scores.save(tmp_path / "s.parquet"))
    assert loaded == scores and loaded.options == scores.options


def test_a_base_model_of_another_vocabulary_is_refused(tiny_lm, plain_lm, monkeypatch):
    monkeypatch.setattr(plain_lm.tokenizer, "get_vocab", lambda: {"a": 0})
    monkeypatch.setattr(loading, "load_model", lambda name, **_: replace(plain_lm, name="other"))
    with pytest.raises(TokenUnlearnError, match='"other" has a different vocabulary than "tiny-llama"'):
        tu.score(tiny_lm, SAMPLES, base_model="other")


def test_samples_for_which_the_model_predicts_nan_are_named(tiny_lm, tmp_path):
    broken = replace(tiny_lm, model=deepcopy(tiny_lm.model))
    with torch.no_grad():
        broken.model.get_output_embeddings().weight.fill_(float("nan"))
    with pytest.raises(TokenUnlearnError, match=r'NaN for the sample "a" in torch\.float32; try float32\.'):
        tu.score(broken, [Sample("a", "Q", "A")], cache=tmp_path)
    assert not list(tmp_path.rglob("*.npz"))


def test_a_base_model_that_is_not_known_is_refused(tiny_lm):
    with pytest.raises(TokenUnlearnError, match='No base model is known for "tiny-llama"; set base_model'):
        tu.score(tiny_lm, SAMPLES, base_model="auto")


def test_preset_paper_is_the_published_formula(tiny_lm):
    scores = tu.score(tiny_lm, SAMPLES, preset="paper")
    drop = np.concatenate([np.abs(x.losses[0]) for x in scores.samples]).astype(np.float64)
    entropy = np.concatenate([x.entropy for x in scores.samples]).astype(np.float64)
    assert all(len(x.contexts) == 1 for x in scores.samples)
    low = [(v - v.min()) / (v.max() - v.min()) for v in (drop, entropy)]
    assert np.concatenate(scores.importance) == pytest.approx(0.5 * low[0] + 0.5 * low[1], abs=1e-5)


def test_words_of_earlier_turns_count_as_copied(tiny_lm):
    history = (Turn("system", "Be in Lisbon."), Turn("user", "Is it Ada?"), Turn("assistant", "Yes, Ada."))
    (scores,) = tu.score(tiny_lm, [Sample("s", "Where?", "Ada, in Lisbon.", history=history)]).samples
    copied = "".join(text for text, is_copied in zip(scores.texts, scores.copied, strict=True) if is_copied)
    assert copied.strip() == "Ada"


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
        ({"alpha": 3.0}, "alpha is 3.0; it must be"),
    ],
)
def test_unknown_settings(tiny_lm, settings, message):
    with pytest.raises(TokenUnlearnError, match=message):
        tu.score(tiny_lm, SAMPLES, **settings)


def test_samples_that_cannot_be_scored(tiny_lm):
    with pytest.raises(TokenUnlearnError, match="no samples"):
        tu.score(tiny_lm, SAMPLES[:0])
    with pytest.raises(SampleTooLongError, match=r"1 of 1 samples exceeds .*longest 908\): long;"):
        tu.score(tiny_lm, [Sample("long", "Why?", "word " * 300)])
