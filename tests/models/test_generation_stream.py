"""A streamed answer is the greedy answer, piece by piece, each with the surprise that scoring gives it."""

from __future__ import annotations

import pytest
import torch

from tests.models.architectures import ARCHITECTURES
from tests.models.test_generation import QUESTIONS
from tokenunlearn.datasets import load_samples
from tokenunlearn.datasets.samples import Sample, Turn
from tokenunlearn.errors import SampleTooLongError
from tokenunlearn.models.forward import response_nll
from tokenunlearn.models.generation import generate
from tokenunlearn.models.generation_stream import stream
from tokenunlearn.models.loading import load_model


def text_of(pieces):
    return "".join(piece.text for piece in pieces).strip()


@pytest.mark.parametrize(
    "family", ["llama", "gemma3_text", "gpt2", "opt", "rwkv", "mamba", "recurrent_gemma", "qwen3_next"]
)
@pytest.mark.slow
def test_the_pieces_are_the_greedy_answer(family_lm, family):
    lm = family_lm(family, **ARCHITECTURES.get(family, {}))
    pieces = [list(stream(lm, question, max_new_tokens=12)) for question in QUESTIONS]
    assert [text_of(p) for p in pieces] == generate(lm, QUESTIONS, max_new_tokens=12)
    assert all(nats >= 0 for p in pieces for _, nats in p)


def test_history_and_prefix_are_read_as_by_generate(tiny_lm):
    history = (Turn("user", "Hello"), Turn("assistant", "Hi!"))
    said = text_of(stream(tiny_lm, QUESTIONS[0], history=history, prefix="Ada Miller", max_new_tokens=8))
    assert [said] == generate(
        tiny_lm, QUESTIONS[:1], histories=[history], prefixes=["Ada Miller"], max_new_tokens=8
    )


@pytest.mark.slow
def test_the_shipped_model_is_surprised_by_its_answer_as_scoring_says():
    lm = load_model("demo", device="cpu")
    for sample in load_samples("authors:forget10").spread(2):
        pieces = list(stream(lm, sample.question))
        assert [text_of(pieces)] == generate(lm, [sample.question])
        encoding = lm.encode(Sample("x", sample.question, text_of(pieces)))
        (nll,) = response_nll(lm, [encoding])
        assert sum(nats for _, nats in pieces) == pytest.approx(float(nll[:-1].sum()), abs=1e-3)


def test_a_character_of_several_tokens_comes_whole(tiny_lm, monkeypatch):
    ids = tiny_lm.tokenizer("a🎉b", add_special_tokens=False)["input_ids"]
    assert len(ids) > 3
    wanted = iter([*ids, tiny_lm.end_of_turn_id])

    def says(*_, **__):
        logits = torch.zeros(1, 1, len(tiny_lm.tokenizer))
        logits[0, 0, next(wanted)] = 1.0
        return type("Output", (), {"logits": logits})()

    monkeypatch.setattr(type(tiny_lm.model), "forward", says)
    pieces = list(stream(tiny_lm, "Hi"))
    assert [text for text, _ in pieces] == ["a", "🎉", "b"]
    first, party, _ = (nats for _, nats in pieces)
    assert party == pytest.approx((len(ids) - 2) * first)


def test_nothing_is_computed_for_pieces_that_nobody_asks_for(tiny_lm, monkeypatch):
    forward, calls = type(tiny_lm.model).forward, []
    monkeypatch.setattr(
        type(tiny_lm.model), "forward", lambda *a, **k: (calls.append(1), forward(*a, **k))[1]
    )
    pieces = stream(tiny_lm, QUESTIONS[0])
    next(pieces)
    pieces.close()
    assert len(calls) <= 4
    assert torch.is_grad_enabled()


def test_an_answer_ends_where_the_context_does(family_lm):
    lm = family_lm("llama", max_position_embeddings=48)
    assert (
        text_of(stream(lm, QUESTIONS[0], max_new_tokens=90))
        == generate(lm, QUESTIONS[:1], max_new_tokens=90)[0]
    )
    with pytest.raises(SampleTooLongError, match="leaves no room for an answer"):
        next(stream(lm, "~" * 60))
