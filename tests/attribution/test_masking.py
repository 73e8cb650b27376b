"""Knowledge score by masking, against one plain forward pass per context."""

from __future__ import annotations

import pytest
import torch

from tests.plain_passes import plain_log_p
from tokenunlearn.attribution.masking import contexts_of, copied_tokens, measure_masking
from tokenunlearn.attribution.masking_settings import MaskingSettings
from tokenunlearn.datasets.samples import Sample
from tokenunlearn.errors import TokenUnlearnError

SAMPLES = (
    Sample("a", "Where was Ada Miller born?", "Ada Miller was born in Lisbon."),
    Sample("b", "Wer schrieb das Café?", "Bram Holt, 1994."),
)
MASKS = {
    "prompt": MaskingSettings(mask="prompt"),
    "words": MaskingSettings(mask="leave-one-out", unit="word"),
    "tokens": MaskingSettings(mask="leave-one-out", unit="token"),
    "random": MaskingSettings(mask="random", subsets=3, seed=5),
}


def settings_with(mask, **changes):
    return MaskingSettings(**{**MASKS[mask].__dict__, **changes})


@pytest.mark.parametrize("pass_cost", [0.0, 30.0, 1e9])
@pytest.mark.parametrize("operator", ["attention", "token", "embedding"])
@pytest.mark.slow
def test_equals_a_pass_per_context_for_every_family_operator_and_mask(
    family_lm, family, operator, pass_cost, monkeypatch
):
    monkeypatch.setattr("tokenunlearn.attribution.masking_engine.pass_cost", lambda lm: pass_cost)
    lm = family_lm(family)
    encodings = lm.encode_all(SAMPLES)
    for mask in MASKS:
        settings = settings_with(mask, operator=operator)
        drops = measure_masking(lm, encodings, settings)
        kls = measure_masking(lm, encodings, settings_with(mask, operator=operator, measure="kl"))
        for encoding, drop, kl in zip(encodings, drops, kls, strict=True):
            whole = plain_log_p(lm, encoding)
            labels = torch.tensor(encoding.input_ids[encoding.prompt_length :])[:, None]
            assert drop.nll == pytest.approx(-whole.gather(-1, labels)[:, 0].numpy(), abs=1e-5)
            assert drop.entropy == pytest.approx(-(whole.exp() * whole).sum(-1).numpy(), abs=1e-5)
            assert len(drop.contexts) == len(drop.losses) == len(kl.losses) > 0
            for context, lost, diverged in zip(drop.contexts, drop.losses, kl.losses, strict=True):
                masked = plain_log_p(lm, encoding, context.positions, operator)
                assert lost == pytest.approx((whole - masked).gather(-1, labels)[:, 0].numpy(), abs=1e-5)
                expected = (whole.exp() * (whole - masked)).sum(-1).numpy()
                assert diverged == pytest.approx(expected, abs=1e-5)
                assert diverged.max() > 1e-3  # the mask does something, so the comparison can fail


def test_hidden_positions_equal_a_square_mask_without_their_columns(family_lm):
    for family in ("llama", "gpt2", "opt"):
        lm = family_lm(family)
        encoding = lm.encode(SAMPLES[0])
        (context,) = contexts_of(encoding, MASKS["prompt"])
        size = len(encoding)
        visible = torch.ones(size, size, dtype=torch.bool).tril()
        visible[:, list(context.positions)] = False
        square = torch.zeros(1, 1, size, size).masked_fill(~visible, torch.finfo(torch.float32).min)
        ids, places = torch.tensor([encoding.input_ids]), torch.arange(size)[None]
        with torch.no_grad():
            logits = lm.model(input_ids=ids, attention_mask=square, position_ids=places).logits
        log_p = logits[0, encoding.prompt_length - 1 : -1].log_softmax(-1)
        labels = torch.tensor(encoding.input_ids[encoding.prompt_length :])[:, None]
        expected = (plain_log_p(lm, encoding) - log_p).gather(-1, labels)[:, 0].numpy()
        assert measure_masking(lm, [encoding], MASKS["prompt"])[0].losses[0] == pytest.approx(
            expected, abs=1e-5
        )


def test_token_budget_and_company_change_nothing(tiny_lm):
    encodings = tiny_lm.encode_all(SAMPLES)
    together = measure_masking(tiny_lm, encodings)
    for budget in (1, 90, 100_000):
        for encoding, expected in zip(encodings, together, strict=True):
            (alone,) = measure_masking(tiny_lm, [encoding], token_budget=budget)
            assert alone.contexts == expected.contexts
            assert alone.losses == pytest.approx(expected.losses, abs=1e-5)
            assert alone.nll == pytest.approx(expected.nll, abs=1e-5)


def test_progress_counts_samples(tiny_lm):
    calls = []
    encodings = tiny_lm.encode_all(SAMPLES * 3)
    for budget, least in ((1, 7), (300, 3), (100_000, 1)):
        calls.clear()
        measure_masking(
            tiny_lm,
            encodings,
            MASKS["words"],
            token_budget=budget,
            progress=lambda *now: calls.append(now),
        )
        assert calls == sorted(calls) and calls[-1] == (6, 6)
        assert len(calls) >= least  # after each pass, not only after each window of samples


def test_token_operator_falls_back_to_the_id_the_tokenizer_has(plain_lm):
    settings = settings_with("prompt", operator="token")
    encoding = plain_lm.encode(SAMPLES[0])
    with_mask = measure_masking(plain_lm, [encoding], settings)[0].losses
    plain_lm.tokenizer.mask_token = None
    plain_lm.tokenizer.pad_token = None
    assert (measure_masking(plain_lm, [encoding], settings)[0].losses != with_mask).any()


def test_no_template_token_is_ever_masked(tiny_lm):
    for question in ("Where was Ada born?", "user", "assistant", "<", "|", "end", "e"):
        encoding = tiny_lm.encode(Sample("x", question, "In Lisbon."))
        start = tiny_lm.tokenizer("<|user|>", add_special_tokens=False)["input_ids"]
        inside = range(len(start), encoding.prompt_length - 2)  # behind: <|end|><|assistant|>
        assert encoding.content_positions == tuple(inside)
        for settings in MASKS.values():
            masked = [p for context in contexts_of(encoding, settings) for p in context.positions]
            assert masked and set(masked) <= set(inside)


def test_no_template_token_is_masked_without_a_chat_template(plain_lm):
    encoding = plain_lm.encode(Sample("x", "Question", "In Lisbon."))
    (context,) = contexts_of(encoding, MASKS["prompt"])
    before = "".join(encoding.texts[: context.positions[0]])
    assert before.strip() == "Question:"
    assert context.text == "Question"


def test_words_group_their_tokens(tiny_lm):
    encoding = tiny_lm.encode(Sample("x", "Did Ada's hypothesis win?", "Yes."))
    contexts = contexts_of(encoding, MASKS["words"])
    assert [c.text for c in contexts] == ["Did", "Ada", "'", "s", "hypothesis", "win", "?"]
    assert len(contexts[4].positions) > 1
    positions = [p for c in contexts for p in c.positions]
    assert sorted(positions) == list(encoding.content_positions)  # every content token in exactly one context
    single = contexts_of(encoding, MASKS["tokens"])
    assert [c.positions for c in single] == [(p,) for p in encoding.content_positions]


def test_text_without_blanks_is_masked_character_by_character(tiny_lm):
    encoding = tiny_lm.encode(Sample("x", "谁写了这本书", "老舍"))
    contexts = contexts_of(encoding, MASKS["words"])
    assert [c.text for c in contexts] == list("谁写了这本书")
    assert all(len(c.positions) == 3 for c in contexts)  # three bytes each, none split apart
    (measured,) = measure_masking(tiny_lm, [encoding], MASKS["words"])
    assert measured.losses.shape == (6, encoding.response_length)


@pytest.mark.parametrize("question", ["", "   "])
def test_question_without_content_has_scores_of_its_own(tiny_lm, question):
    encoding = tiny_lm.encode(Sample("x", question, "In Lisbon."))
    (measured,) = measure_masking(tiny_lm, [encoding], MASKS["prompt"])
    assert measured.losses.shape == (len(measured.contexts), encoding.response_length)
    assert len(measured.nll) == encoding.response_length
    if not question:
        assert not measured.contexts


def test_random_subsets_depend_on_seed_and_sample_only(tiny_lm):
    encoding = tiny_lm.encode(SAMPLES[0])
    contexts = contexts_of(encoding, MASKS["random"])
    assert contexts == contexts_of(encoding, MASKS["random"])
    assert contexts != contexts_of(encoding, settings_with("random", seed=6))
    assert {len(c.positions) for c in contexts} == {len(encoding.content_positions) // 2}


@pytest.mark.parametrize(
    ("question", "answer", "repeated"),
    [
        ("Where was Ada Miller born?", "Ada Miller was born in Lisbon.", ["Ada", "Miller", "was", "born"]),
        ("Who is ADA?", "ada, the Adas, Adam and is it.", ["ada", "is"]),
        ("Wo liegt Zürich, die STRASSE?", "ZÜRICH liegt an der Straße.", ["ZÜRICH", "liegt", "Straße"]),
        ("Caf\u00e9 or hotel?", "The cafe\u0301 of Cafes.", ["cafe\u0301"]),
        ("हिन्दी में?", "हिन्दी और हि", ["हिन्दी"]),
        ("老舍在哪里?", "老人在北京", ["老", "在"]),
        ("", "Ada.", []),
    ],
)
def test_copy_guard_flags_whole_repeated_words(tiny_lm, question, answer, repeated):
    encoding = tiny_lm.encode(Sample("x", question, answer))
    flags = copied_tokens(question, answer, encoding.answer_offsets)
    assert flags.shape == (encoding.response_length,)
    wanted, start = set(), 0
    for word in repeated:
        start = answer.index(word, start)
        wanted |= set(range(start, start + len(word)))
        start += len(word)
    for flag, (begin, end) in zip(flags, encoding.answer_offsets, strict=True):
        assert flag == bool(wanted & set(range(begin, end)))


@pytest.mark.parametrize(
    ("name", "value"),
    [("mask", "half"), ("unit", "line"), ("operator", "drop"), ("measure", "js"), ("subsets", 0)],
)
def test_bad_settings_are_named(name, value):
    with pytest.raises(TokenUnlearnError, match=f"{name} is .*{value}.*must be"):
        MaskingSettings(**{name: value})
