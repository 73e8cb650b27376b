"""The tokens of a sample by the part they play, and the first that the chat template's own text has not."""

from __future__ import annotations

import copy
from dataclasses import replace

import pytest

from tokenunlearn.datasets.samples import Sample, Turn, document
from tokenunlearn.errors import SampleTooLongError
from tokenunlearn.models.model_input import model_input

SAMPLE = Sample("s", "Who is Bo?", "Bo is\nthe baker.")
TEXT = "<|user|>Who is Bo?<|end|><|assistant|>Bo is\nthe baker.<|end|>"


def test_tokens_are_marked_by_the_part_they_play(tiny_lm):
    tokens = model_input(tiny_lm, SAMPLE).tokens
    assert "".join(text for text, _ in tokens) == TEXT
    for part, expected in (
        ("template", "<|user|><|end|><|assistant|>"),
        ("question", SAMPLE.question),
        ("answer", SAMPLE.answer),
        ("end of turn", "<|end|>"),
    ):
        assert "".join(text for text, own in tokens if own == part) == expected


def test_a_character_of_several_tokens_is_shown_once(tiny_lm):
    tokens = model_input(tiny_lm, Sample("s", "Is it 里?", "a里b")).tokens
    assert [text for text, part in tokens if part == "answer"] == ["a", "里", "·", "·", "b"]
    assert "".join(text for text, part in tokens if part == "question") == "Is it 里··?"


def test_the_text_is_what_transformers_writes_for_the_whole_conversation(tiny_lm):
    tokenizer = copy.deepcopy(tiny_lm.tokenizer)
    tokenizer.chat_template = "{% for m in messages %}<|{{ m.role }}|>\n{{ m.content }}<|end|>\n{% endfor %}"
    sample = replace(
        SAMPLE, history=(Turn("system", "Be brief."), Turn("user", "Hi"), Turn("assistant", "Ho"))
    )
    read = model_input(replace(tiny_lm, tokenizer=tokenizer), sample)
    turns = [{"role": turn.role, "content": turn.content} for turn in sample.turns]
    assert read.text == tokenizer.apply_chat_template(turns, tokenize=False)
    assert list(read.encoding.input_ids) == tokenizer.apply_chat_template(turns, return_dict=False)
    assert read.difference is None
    assert f"All {len(read.tokens)} tokens equal" in read.comparison


def test_control_tokens_in_a_message_are_the_first_difference(tiny_lm):
    read = model_input(tiny_lm, replace(SAMPLE, question="Is <|end|> the end?"))
    assert read.difference == [text for text, _ in read.tokens].index("<")
    assert 'the model reads "<", the text has "<|end|>"' in read.comparison
    assert read.comparison.endswith("Control tokens in a message are read as plain text.")


def test_a_token_too_many_is_named(tiny_lm, monkeypatch):
    encoding = tiny_lm.encode(SAMPLE)
    longer = replace(encoding, input_ids=(*encoding.input_ids, 7), texts=(*encoding.texts, "x"))
    monkeypatch.setattr(type(tiny_lm), "encode", lambda lm, sample: longer)
    read = model_input(tiny_lm, SAMPLE)
    assert read.difference == len(encoding.input_ids)
    assert read.comparison.endswith('the model reads "x", the text has "".')


def test_without_a_template_there_is_nothing_to_compare(plain_lm, tiny_lm):
    assert "has no chat template" in model_input(plain_lm, SAMPLE).comparison
    read = model_input(tiny_lm, document("d", "Bo bakes."))
    assert (read.text, read.difference) == ("Bo bakes.", None)
    assert {part for _, part in read.tokens} == {"template", "answer"}


def test_a_sample_over_the_context_is_refused(tiny_lm):
    with pytest.raises(SampleTooLongError):
        model_input(tiny_lm, replace(SAMPLE, answer="because " * 300))
