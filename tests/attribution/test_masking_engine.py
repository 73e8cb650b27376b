"""The passes that the engine makes: none needless, all within the budget, exact wherever they are shared."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace

import pytest
import torch

from tests.tiny_models import build_lm
from tokenunlearn.attribution.masking import contexts_of, measure_masking
from tokenunlearn.attribution.masking_engine import MaskingEngine, Variant, make_variant, plan_passes
from tokenunlearn.attribution.masking_settings import MaskingSettings
from tokenunlearn.datasets.samples import Sample
from tokenunlearn.models.token_budget import TokenBudget

SAMPLES = (
    Sample("a", "Where was Ada Miller born, and in which old town?", "Ada Miller was born in Lisbon."),
    Sample("b", "Who?", "Bram Holt, 1994."),
    Sample("c", "Which prize did Bram Holt win?", "The Silver Pen, for his second novel."),
)
TOKENS = MaskingSettings(mask="leave-one-out", unit="token")


def spy(monkeypatch):
    """Records every pass: variants, and computed positions."""
    passes = []
    forward = MaskingEngine._forward

    def recorded(engine, encodings, variants, prefix=None):
        start, end = min(v.start for v in variants), max(v.end for v in variants)
        passes.append((list(variants), len(variants) * (end - start)))
        return forward(engine, encodings, variants, prefix)

    monkeypatch.setattr(MaskingEngine, "_forward", recorded)
    return passes


def share_always(monkeypatch):
    """Passes cost nothing, so that sharing always pays."""
    monkeypatch.setattr("tokenunlearn.attribution.masking_engine.pass_cost", lambda lm: 0.0)


@pytest.mark.parametrize("family", ["llama", "qwen3", "gemma2", "gemma3_text", "gpt_neox", "gpt2", "opt"])
@pytest.mark.parametrize("operator", ["attention", "token", "embedding"])
def test_prefix_is_shared_in_each_family(family_lm, family, operator):
    lm = family_lm(family)
    engine = MaskingEngine(lm, operator, TokenBudget(4096))
    with torch.no_grad():
        assert engine.shares_prefix(lm.encode_all(SAMPLES))


@pytest.mark.parametrize(
    ("family", "changes"),
    [
        ("bloom", {"n_layer": 2, "n_head": 4}),  # distances count visible tokens only
        (
            "falcon_h1",
            {
                "mamba_d_ssm": 32,
                "mamba_n_heads": 4,
                "mamba_d_head": 8,
                "mamba_d_state": 8,
            },
        ),  # a recurrent state has no positions to keep
    ],
)
@pytest.mark.slow
def test_other_architectures_run_whole_and_exactly(family_lm, monkeypatch, family, changes):
    lm = family_lm(family, **changes)
    passes = spy(monkeypatch)
    encodings = lm.encode_all(SAMPLES[:2])
    for encoding, measured in zip(encodings, measure_masking(lm, encodings, TOKENS), strict=True):
        assert_equals_single_passes(lm, encoding, measured)
    assert all(v.start == 0 and v.end == len(encodings[v.sample]) for group, _ in passes for v in group)


@torch.no_grad()
def assert_equals_single_passes(lm, encoding, measured):
    """The naive loop: one whole sequence in one pass for every context."""
    ids = torch.tensor([encoding.input_ids])
    labels = ids[0, encoding.prompt_length :, None]

    def log_p(masked=()):
        visible = torch.ones_like(ids)
        visible[0, list(masked)] = 0
        logits = lm.model(input_ids=ids, attention_mask=visible).logits[0, encoding.prompt_length - 1 : -1]
        return logits.log_softmax(-1).gather(-1, labels)[:, 0]

    whole = log_p()
    assert len(measured.contexts) > 1
    for context, loss in zip(measured.contexts, measured.losses, strict=True):
        assert loss == pytest.approx((whole - log_p(context.positions)).numpy(), abs=1e-5)


@pytest.mark.parametrize("fault", ["prefix forgotten", "mask ignored"])
def test_a_model_that_breaks_the_shortcut_is_found_out_and_runs_whole(family_lm, tiny_tokenizer, fault):
    lm = build_lm("llama", tiny_tokenizer)
    inner = lm.model.model.forward

    def broken(*args, past_key_values=None, attention_mask=None, position_ids=None, **kwargs):
        if past_key_values is not None and past_key_values.get_seq_length():
            if fault == "prefix forgotten":
                for layer in past_key_values.layers:
                    layer.keys = torch.zeros_like(layer.keys)
            else:
                attention_mask = torch.ones_like(attention_mask)
        return inner(
            *args,
            past_key_values=past_key_values,
            attention_mask=attention_mask,
            position_ids=position_ids,
            **kwargs,
        )

    lm.model.model.forward = broken
    lm.model.model.__class__ = type("Broken", (type(lm.model.model),), {"forward": inner.__func__})
    encodings = lm.encode_all(SAMPLES)
    with torch.no_grad():
        assert not MaskingEngine(lm, "attention", TokenBudget(4096)).shares_prefix(encodings)
    expected = measure_masking(family_lm("llama"), encodings)
    for got, wanted in zip(measure_masking(lm, encodings), expected, strict=True):
        assert got.losses == pytest.approx(wanted.losses, abs=1e-5)


def test_only_positions_behind_the_mask_are_computed(tiny_lm, monkeypatch):
    encodings = tiny_lm.encode_all(SAMPLES)
    passes = spy(monkeypatch)
    monkeypatch.setattr(MaskingEngine, "shares_prefix", lambda engine, encodings: True)
    share_always(monkeypatch)
    measure_masking(tiny_lm, encodings, TOKENS)
    masked = [(group, size) for group, size in passes if group[0].context >= 0]
    must = sum(len(e) - 1 - (p + 1) for e in encodings for p in e.content_positions)
    assert sum(size for _, size in masked) == must


def test_a_masked_run_at_the_front_is_not_computed(tiny_lm):
    encoding = tiny_lm.encode(SAMPLES[0])
    (everything,) = contexts_of(encoding, MaskingSettings(mask="prompt"))
    last = everything.positions[-1]
    variant = make_variant(0, 0, everything.positions, encoding, "attention")
    assert (variant.start, variant.end) == (min(last + 1, encoding.prompt_length - 1), len(encoding) - 1)
    assert make_variant(0, 0, (4, 5, 8), encoding, "attention").start == 6
    assert make_variant(0, 0, (4, 5, 8), encoding, "token").start == 4


def test_a_mask_on_the_last_prompt_position_keeps_what_predicts_the_first_token(plain_lm):
    encoding = plain_lm.encode(Sample("x", "Where was Ada born?", "In Lisbon."))
    cut = encoding.content_positions[-1] + 1  # as in a template that ends with the question
    short = replace(
        encoding,
        input_ids=encoding.input_ids[:cut] + encoding.input_ids[encoding.prompt_length :],
        prompt_length=cut,
        question_offsets=encoding.question_offsets[:cut],
    )
    (measured,) = measure_masking(plain_lm, [short], TOKENS)
    assert measured.contexts[-1].positions == (cut - 1,)
    assert_equals_single_passes(plain_lm, short, measured)


def test_whole_passes_where_starting_another_one_costs_more(tiny_lm, monkeypatch):
    passes = spy(monkeypatch)
    encodings = tiny_lm.encode_all(SAMPLES[1:2])
    measure_masking(tiny_lm, encodings, TOKENS)  # few short rows
    assert passes[-1][0][0].context == -1 and len(passes[-1][0]) == 1 + len(encodings[0].content_positions)


@pytest.mark.parametrize("operator", ["attention", "token", "embedding"])
def test_in_a_document_only_what_follows_the_mask_is_computed(tiny_lm, monkeypatch, operator):
    document = Sample("d", "", "Ada Miller was born in Lisbon, the old harbour town.", chunk_tokens=64)
    encoding = tiny_lm.encode(document)
    settings = replace(TOKENS, operator=operator)
    passes = spy(monkeypatch)
    share_always(monkeypatch)
    shared = {
        m: measure_masking(tiny_lm, [encoding], replace(settings, measure=m))[0] for m in ("drop", "kl")
    }
    assert min(v.start for group, _ in passes for v in group if v.skip) > 0
    monkeypatch.setattr(MaskingEngine, "shares_prefix", lambda engine, encodings: False)
    for measure, got in shared.items():
        (whole,) = measure_masking(tiny_lm, [encoding], replace(settings, measure=measure))
        assert got.losses.shape == whole.losses.shape == (len(encoding) - 2, encoding.response_length)
        assert got.losses == pytest.approx(whole.losses, abs=1e-5)
        assert got.nll == pytest.approx(whole.nll, abs=1e-5)


@pytest.mark.parametrize("pass_cost", [0.0, 20.0, 1e9])
@pytest.mark.parametrize("budget", [1, 200, 10_000])
def test_plans_hold_every_variant_once_within_budget_and_padding(pass_cost, budget):
    rng = random.Random(3)
    variants = [
        Variant(s, c, (c,), c + 1, 20 + rng.randrange(40))
        for s in range(6)
        for c in range(3, 3 + rng.randrange(12))
    ]
    passes = list(plan_passes(variants, budget, pass_cost))
    assert Counter(v for group in passes for v in group) == Counter(variants)
    for group in passes:
        start, end = min(v.start for v in group), max(v.end for v in group)
        assert len(group) == 1 or len(group) * end <= budget
        assert sum(end - start - (v.end - v.start) for v in group) <= pass_cost
    if pass_cost == 1e9 and budget == 10_000:
        assert len(passes) == 1


@pytest.mark.parametrize("most", [40, 150])
def test_memory_that_does_not_suffice_halves_the_budget_and_changes_nothing(family_lm, tiny_tokenizer, most):
    lm = build_lm("llama", tiny_tokenizer)
    encodings = lm.encode_all(SAMPLES)
    settings = MaskingSettings(mask="leave-one-out")
    expected = measure_masking(lm, encodings, settings)
    refused = []

    def small_memory(module, args, kwargs):
        rows = kwargs["input_ids"]
        if rows.shape[0] > 1 and rows.numel() > most:
            refused.append(rows.numel())
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB.")

    lm.model.model.register_forward_pre_hook(small_memory, with_kwargs=True)
    budget = TokenBudget(4096)
    engine_budget = []
    original = TokenBudget.of
    try:
        TokenBudget.of = classmethod(lambda cls, lm, tokens=None: engine_budget.append(budget) or budget)
        got = measure_masking(lm, encodings, settings)
    finally:
        TokenBudget.of = original
    assert refused and budget.tokens < 4096
    for mine, wanted in zip(got, expected, strict=True):
        assert mine.losses == pytest.approx(wanted.losses, abs=1e-5)


def test_half_precision_weights_share_too(tiny_tokenizer):
    lm = build_lm("llama", tiny_tokenizer)
    expected = measure_masking(lm, lm.encode_all(SAMPLES))
    lm.model.bfloat16()
    with torch.no_grad():
        assert MaskingEngine(lm, "attention", TokenBudget(4096)).shares_prefix(lm.encode_all(SAMPLES))
    for got, wanted in zip(measure_masking(lm, lm.encode_all(SAMPLES)), expected, strict=True):
        assert got.losses.dtype == got.nll.dtype == "float32"
        assert abs(got.nll - wanted.nll).max() < 0.3
