"""Encoding, offsets, words, padding and batches."""

from __future__ import annotations

import copy
import random
from dataclasses import replace

import pytest
from tokenizers import AddedToken
from tokenizers.processors import TemplateProcessing

from tokenunlearn.datasets.samples import Sample, SampleSet, Turn, document, overlaps, word_spans
from tokenunlearn.errors import SampleTooLongError, TokenUnlearnError
from tokenunlearn.models.encoding import (
    Batch,
    batches_by_length,
    collate,
    encode,
    end_of_turn_id,
    prompt_ids,
)
from tokenunlearn.models.templates import ChatFormat

TEXTS = [
    "Ada Miller was born in Lisbon.",
    "Zoë's café: naïve Ångström, ﬁn",
    "cafe\u0301 in two code points",
    "🎉 Party 👩‍👩‍👧 and 🇵🇹!",
    "老舍写了《茶馆》。",
    "ประเทศไทย и Москва",
    "<script>alert('x')</script> & <b>",
    "It costs $x$ or $5, 10 % * _a_ `b`",
    "two\nlines\tand  blanks ",
    "x",
]


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("templated", [True, False])
def test_encoding_is_exact(tiny_lm, plain_lm, text, templated):
    lm = tiny_lm if templated else plain_lm
    tokenizer = lm.tokenizer
    encoding = lm.encode(Sample("s", text, text))
    lead = "" if templated else " "
    # Generation sees the prompt's ids alone; the response is the answer's own ids and the end of turn.
    assert list(encoding.input_ids[: encoding.prompt_length]) == prompt_ids(lm.chat, text)
    response = list(encoding.input_ids[encoding.prompt_length :])
    assert response == [*tokenizer(lead + text)["input_ids"], tokenizer.convert_tokens_to_ids("<|end|>")]
    assert tokenizer.decode(response[:-1]) == lead + text
    assert encoding.response_length == len(response) == len(encoding.answer_offsets)
    assert len(encoding) == len(encoding.texts)
    # Offsets cover the text in order without a gap, and the texts behind them are the tokens'.
    offsets = encoding.answer_offsets
    assert offsets[-1] == (len(text), len(text))
    assert {c for start, end in offsets for c in range(start, end)} == set(range(len(text)))
    assert list(offsets) == sorted(offsets)
    content = [encoding.question_offsets[i] for i in encoding.content_positions]
    assert {c for start, end in content for c in range(start, end)} == set(range(len(text)))
    texts = encoding.texts[encoding.prompt_length : -1]
    for token_text, (start, end) in zip(texts, offsets, strict=False):
        if "\ufffd" not in token_text:
            assert token_text.removeprefix(lead if start == 0 else "") == text[start:end]


def test_tokens_that_hold_part_of_a_character_do_not_repeat_it(tiny_lm):
    encoding = tiny_lm.encode(Sample("s", "Who?", "a里b"))
    assert encoding.texts[encoding.prompt_length :] == ("a", "\ufffd", "\ufffd", "\ufffd", "b", "<|end|>")
    assert encoding.answer_offsets == ((0, 1), (1, 2), (1, 2), (1, 2), (2, 3), (3, 3))
    assert encoding.holds([(1, 2)]) == [False, True, True, True, False, False]
    assert encoding.holds([(0, 3)]) == [True] * 5 + [False]  # the end of turn holds nothing


def test_encode_replaces_question_or_answer(tiny_lm):
    sample = Sample("s", "Who?", "Ada.")
    assert tiny_lm.encode(sample, question="Where?").question == "Where?"
    other = tiny_lm.encode(sample, answer="Bram.")
    assert other.answer == "Bram." and other.prompt_length == tiny_lm.encode(sample).prompt_length


HISTORY = (Turn("user", "Hello"), Turn("assistant", "Hi <|end|>!"))


def test_earlier_turns_are_part_of_the_prompt(tiny_lm):
    encoding = tiny_lm.encode(Sample("s", "Who?", "Ada.", history=HISTORY))
    alone = tiny_lm.encode(Sample("s", "Who?", "Ada."))
    assert "".join(encoding.texts) == (
        "<|user|>Hello<|end|><|assistant|>Hi <|end|>!<|end|><|user|>Who?<|end|><|assistant|>Ada.<|end|>"
    )
    assert encoding.response_ids == alone.response_ids
    assert (
        encoding.content == "Who?"
        and "".join(map(encoding.texts.__getitem__, encoding.content_positions)) == "Who?"
    )
    end = tiny_lm.end_of_turn_id
    assert encoding.input_ids.count(end) == 4  # the one that an earlier turn writes stays text
    assert encoding.input_ids[-len(alone) :] == alone.input_ids


@pytest.mark.parametrize("templated", [True, False])
def test_a_system_turn_takes_the_place_of_the_system_prompt(tiny_lm, plain_lm, templated):
    lm = replace(tiny_lm if templated else plain_lm, system_prompt="Be kind.")
    with_own = lm.encode(Sample("s", "Who?", "Ada.", history=(Turn("system", "Be short."), *HISTORY)))
    text = "".join(with_own.texts)
    assert "Be short." in text and "Be kind." not in text
    assert "Be kind." in "".join(lm.encode(Sample("s", "Who?", "Ada.", history=HISTORY)).texts)


@pytest.fixture
def thinking_lm(tiny_lm):
    """A model whose tokens for thinking are no special ones, as in Qwen3, and that knows a word more."""
    tokenizer = copy.deepcopy(tiny_lm.tokenizer)
    tokenizer.add_tokens([AddedToken(t, special=False) for t in ("<think>", "</think>", "Zürich")])
    tokenizer.chat_template = (
        "{% for m in messages %}<|{{ m.role }}|>{% if m.role == 'assistant' %}<think></think>{% endif %}"
        "{{ m.content }}<|end|>{% endfor %}"
    )
    return replace(tiny_lm, tokenizer=tokenizer)


def test_tokens_that_are_not_special_stay_text_in_what_people_write(thinking_lm):
    text = "What does <think> do, say </think> and <|end|>?"
    think, end, town = thinking_lm.tokenizer.convert_tokens_to_ids(["<think>", "</think>", "Zürich"])
    encoding = thinking_lm.encode(Sample("s", text, text + " Zürich", history=(Turn("system", text),)))
    assert [encoding.input_ids.count(i) for i in (think, end, town)] == [1, 1, 1]
    assert encoding.input_ids.index(end) == encoding.input_ids.index(think) + 1 == encoding.prompt_length - 1
    assert encoding.texts[encoding.prompt_length - 2 : encoding.prompt_length] == ("<think>", "</think>")
    inside = [encoding.question_offsets[i] for i in encoding.content_positions]
    assert sorted({c for a, b in inside for c in range(a, b)}) == list(range(len(text)))
    assert "".join(text[a:b] for a, b in encoding.answer_offsets if b <= len(text)) == text
    alone = thinking_lm.encode(document("d", text))
    assert not {think, end} & {*alone.input_ids} and "".join(alone.response_texts) == text


def test_ordinary_text_has_the_tokens_of_the_tokenizer_itself(thinking_lm):
    for text in (*TEXTS, "in Zürich"):
        assert thinking_lm.encode(document("d", text)).response_ids == (
            *thinking_lm.tokenizer(text)["input_ids"],
        )


def test_plain_text_at_the_beginning_is_not_begun_a_second_time(plain_lm):
    system = Turn("system", "Never write <|end|>.")
    sample = Sample("s", "Who?", "Ada.", history=(system,))
    plain_lm.tokenizer.bos_token = "<|system|>"
    plain_lm.tokenizer.backend_tokenizer.post_processor = TemplateProcessing(
        single="<|system|> $A", special_tokens=[("<|system|>", plain_lm.tokenizer.bos_token_id)]
    )
    assert plain_lm.encode(sample).input_ids.count(plain_lm.tokenizer.bos_token_id) == 1


@pytest.mark.parametrize("question", ["Who?", "Does <|end|> end it?"])
def test_an_end_of_sequence_that_the_tokenizer_adds_stands_at_the_end_alone(plain_lm, question):
    end = plain_lm.tokenizer.eos_token_id
    plain_lm.tokenizer.backend_tokenizer.post_processor = TemplateProcessing(
        single="$A <|end|>", special_tokens=[("<|end|>", end)]
    )
    encoding = plain_lm.encode(Sample("s", question, "Ada."))
    assert encoding.input_ids.count(end) == 1 and encoding.response_ids[-1] == end


@pytest.mark.parametrize("question", ["user", "assistant", "system", "|", " end ", "a <|b|> c"])
def test_question_that_looks_like_the_template_is_found(tiny_lm, question):
    encoding = encode(ChatFormat(tiny_lm.tokenizer, f"Answer {question}."), "s", question, "Yes.")
    text = "".join(encoding.texts[i] for i in encoding.content_positions)
    assert text == question
    assert encoding.texts[encoding.content_positions[0] - 1] == "<|user|>"


def test_template_that_strips_the_question(tiny_lm):
    tokenizer = copy.deepcopy(tiny_lm.tokenizer)
    tokenizer.chat_template = tokenizer.chat_template.replace("['content']", "['content'] | trim")
    encoding = encode(ChatFormat(tokenizer), "s", "  Who is Ada? ", "Bram.")
    for position in encoding.content_positions:
        start, end = encoding.question_offsets[position]
        assert "  Who is Ada? "[start:end] == encoding.texts[position]
    assert encoding.question_offsets[encoding.content_positions[0]][0] == 2


def test_empty_question_has_no_content(tiny_lm, plain_lm):
    for lm in (tiny_lm, plain_lm):
        assert lm.encode(Sample("s", "", "Yes.")).content_positions == ()


def test_end_of_turn_is_what_the_template_writes(tiny_lm, plain_lm):
    assert end_of_turn_id(tiny_lm.chat) == tiny_lm.tokenizer.convert_tokens_to_ids("<|end|>")
    tokenizer = copy.deepcopy(tiny_lm.tokenizer)
    tokenizer.chat_template = tokenizer.chat_template.replace("<|end|>", "<|system|>")
    assert end_of_turn_id(ChatFormat(tokenizer)) == tokenizer.convert_tokens_to_ids("<|system|>")
    plain_lm.tokenizer.eos_token = None
    with pytest.raises(TokenUnlearnError, match="end-of-sequence"):
        end_of_turn_id(plain_lm.chat)


def test_system_prompt_comes_first(tiny_lm):
    written = ChatFormat(tiny_lm.tokenizer, "Be brief.").conversation([Turn("user", "Who?")])
    assert written.text == "<|system|>Be brief.<|end|><|user|>Who?<|end|>"


def test_too_long_is_an_error_with_the_numbers(tiny_lm):
    sample = Sample("novel", "Who?", "Ada")
    length = len(tiny_lm.encode(sample))
    arguments = (tiny_lm.chat, sample.id, sample.question, sample.answer)
    assert len(encode(*arguments, max_length=length)) == length
    with pytest.raises(SampleTooLongError, match=rf"novel has {length} tokens .* holds {length - 1};"):
        encode(*arguments, max_length=length - 1)


def test_collate_pads_on_the_right_and_points_at_predictors(tiny_lm):
    encodings = tiny_lm.encode_all(
        [Sample("a", "Who?", "Ada Miller was born."), Sample("b", "In which town does she live?", "No.")]
    )
    batch = collate(encodings, pad_id=9)
    for row, e in enumerate(encodings):
        ids, time = list(e.input_ids), e.response_length
        assert batch.input_ids[row].tolist() == ids + [9] * (batch.input_ids.shape[1] - len(e))
        assert batch.attention_mask[row].sum() == len(e) and batch.attention_mask[row, : len(e)].all()
        assert batch.mask[row].tolist() == [t < time for t in range(batch.mask.shape[1])]
        assert batch.labels[row, :time].tolist() == ids[e.prompt_length :]
        assert not batch.labels[row, time:].any() and not batch.predictors[row, time:].any()
        for label, predictor in zip(batch.labels[row, :time], batch.predictors[row, :time], strict=True):
            assert ids[predictor + 1] == label
    assert {name: getattr(batch, name).shape[0] for name in Batch.FIELDS} == dict.fromkeys(Batch.FIELDS, 2)


@pytest.mark.parametrize("budget", [1, 50, 64, 1000])
def test_batches_by_length_cover_everything_once_within_the_budget(budget):
    lengths = [random.Random(budget).randint(1, 60) for _ in range(83)]
    groups = list(batches_by_length(lengths, budget))
    assert sorted(i for group in groups for i in group) == list(range(83))
    for group in groups:
        assert len(group) == 1 or len(group) * max(lengths[i] for i in group) <= budget
    assert list(batches_by_length([], budget)) == []


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Ada's cat, 1994!", ["Ada", "s", "cat", "1994"]),
        ("Zoë und cafe\u0301", ["Zoë", "und", "cafe\u0301"]),
        ("हिन्दी भाषा", ["हिन्दी", "भाषा"]),
        ("我爱Paris和𠮷", ["我", "爱", "Paris", "和", "𠮷"]),
        ("名前はスーパー・ココ", ["名", "前", "は", "スーパー", "ココ"]),
        ("한국어 문장", ["한국어", "문장"]),
        ("مرحبا بالعالم", ["مرحبا", "بالعالم"]),
        ("か\u3099っこう", ["か\u3099", "っ", "こ", "う"]),
        ("カ\u3099ート\u3099 ホ\u309aケット", ["カ\u3099ート\u3099", "ホ\u309aケット"]),
        ("ตัวอย่าง", ["ตั", "ว", "อ", "ย่", "า", "ง"]),
        ("👨\u200d👩 ❤\ufe0f", []),
        ("", []),
        (" .,!", []),
    ],
)
def test_word_spans(text, words):
    assert [text[start:end] for start, end in word_spans(text)] == words


def test_overlaps_needs_a_shared_character():
    assert overlaps((2, 4), [(3, 9)]) and overlaps((2, 4), [(0, 1), (0, 3)])
    assert not overlaps((2, 4), [(4, 5), (0, 2)]) and not overlaps((3, 3), [(0, 9)])


def test_sample_set_keeps_its_name_and_spreads_evenly():
    whole = SampleSet("x", tuple(Sample(str(i), "q", "a") for i in range(10)))
    assert whole[3].id == "3" and whole[-1].id == "9"
    assert isinstance(whole[2:4], SampleSet) and [s.id for s in whole[2:4]] == ["2", "3"]
    assert [s.id for s in whole.spread(4)] == ["0", "2", "5", "7"] and whole.spread(4).name == "x"
    assert whole.spread(None) is whole and whole.spread(10) is whole and len(whole.spread(1)) == 1


def test_facts_are_the_texts_of_the_spans():
    assert Sample("s", "?", "Born in Lisbon, 1994.", span=((8, 14), (16, 20))).facts == ("Lisbon", "1994")
