"""A sample's tokens are the chat template's own, whatever the template and the text."""

from __future__ import annotations

import copy
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.models.chat_templates import TEMPLATES
from tokenunlearn.datasets.samples import Sample, Turn
from tokenunlearn.errors import TemplateError
from tokenunlearn.models.encoding import encode, prompt_ids
from tokenunlearn.models.templates import ChatFormat, without_thinking

THINKING = [name for name in TEMPLATES if "thinking" in name]


@pytest.fixture(scope="module")
def chats(tiny_tokenizer):
    """A chat format for each template."""
    found = {}
    for name, template in TEMPLATES.items():
        tokenizer = copy.deepcopy(tiny_tokenizer)
        tokenizer.chat_template = template
        found[name] = ChatFormat(tokenizer)
    return found


def template_ids(chat, question, answer):
    messages = [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]
    given_ids = chat.tokenizer.apply_chat_template(messages, enable_thinking=False, return_dict=False)
    return tuple(given_ids)


def check_response(chat, encoding, answer):
    """The response is the answer and its end of turn, with every character in some token."""
    covered = set()
    for text, (start, end) in zip(encoding.response_texts, encoding.answer_offsets, strict=True):
        assert 0 <= start <= end <= len(answer)
        covered |= set(range(start, end))
        if start < end and "\ufffd" not in text:
            assert text.strip() in answer[start:end] or answer[start:end] in text
    stripped = answer.strip()
    begin = answer.find(stripped)
    assert set(range(begin, begin + len(stripped))) <= covered
    starts = [start for start, _ in encoding.answer_offsets]
    assert starts == sorted(starts)
    if encoding.ended:
        assert encoding.response_ids[-1] in chat.tokenizer.added_tokens_decoder
    assert not any(i in chat.tokenizer.added_tokens_decoder for i in encoding.response_ids[:-1])


TEXT = st.text(
    st.one_of(
        st.sampled_from("Ada was born in Lisbon. \n\t"),
        st.characters(exclude_categories=("Cs",), exclude_characters="\x00"),
        st.sampled_from(["🎉", "👩‍👩‍👧", "é", "里", "ก"]).map(lambda s: s[0]),
    ),
    min_size=1,
    max_size=40,
).filter(str.strip)


@pytest.mark.parametrize("name", TEMPLATES)
@pytest.mark.slow
def test_ids_are_the_templates(chats, name):
    chat = chats[name]

    @settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
    @given(question=TEXT, answer=TEXT)
    def holds(question, answer):
        encoding = encode(chat, "s", question, answer)
        assert encoding.input_ids == template_ids(chat, question, answer)
        check_response(chat, encoding, answer)

    holds()


@pytest.mark.parametrize("name", TEMPLATES)
@pytest.mark.parametrize("control", ["<|end|>", "<|user|>", "<|assistant|><|end|>"])
def test_control_tokens_in_what_a_person_writes_stay_text(chats, name, control):
    chat = chats[name]
    for question, answer in (
        (f"What does {control} mean?", f"It ends {control} the turn."),
        (control, f"{control} it is"),
        ("Why?", f"so {control}"),
    ):
        encoding = encode(chat, "s", question, answer)
        plain = encode(chat, "s", question.replace("|", "/"), answer.replace("|", "/"))
        controls = chat.tokenizer.added_tokens_decoder
        assert [i for i in encoding.input_ids if i in controls] == [
            i for i in plain.input_ids if i in controls
        ]
        check_response(chat, encoding, answer)
        assert (
            chat.tokenizer.decode(encoding.input_ids)
            == chat.conversation([Turn("user", question), Turn("assistant", answer)]).text
        )


@pytest.mark.parametrize("name", TEMPLATES)
def test_generation_goes_on_from_the_samples_prompt(chats, name):
    chat = chats[name]
    for answer in ("The mason lives in Turin.", "🎉 yes", "里", " two blanks"):
        encoding = encode(chat, "s", "Who is Ada?", answer)
        assert prompt_ids(chat, "Who is Ada?") == list(encoding.input_ids[: encoding.prompt_length])
    whole = encode(chat, "s", "Who is Ada?", "The mason lives in Turin.")
    begun = prompt_ids(chat, "Who is Ada?", "The mason")
    assert begun == list(whole.input_ids[: len(begun)])
    assert chat.tokenizer.decode(begun).endswith("The mason")


@pytest.mark.parametrize("name", THINKING)
def test_no_answer_lies_inside_an_open_thinking_block(chats, name):
    chat = chats[name]
    encoding = encode(chat, "s", "Who is Ada?", "The mason.")
    prompt = chat.tokenizer.decode(encoding.input_ids[: encoding.prompt_length])
    assert prompt.count("<think>") == prompt.count("</think>")
    assert "think" not in "".join(encoding.response_texts)


def test_with_thinking_off_the_prompt_is_what_the_template_asks_with(chats):
    chat = chats["hybrid thinking"]
    asked = chat.tokenizer.apply_chat_template(
        [{"role": "user", "content": "Who?"}],
        add_generation_prompt=True,
        enable_thinking=False,
        return_dict=False,
    )
    assert prompt_ids(chat, "Who?") == asked


def test_a_blank_that_the_template_writes_belongs_to_the_first_word(chats):
    for name in ("llama2", "mistral"):
        encoding = encode(chats[name], "s", "Who?", "Ada Miller.")
        assert encoding.response_texts[0].startswith(" A")
        assert encoding.answer_offsets[0][0] == 0


LAST_USER_TURN = (
    "{% for m in messages if m.role != 'system' %}<|{{ m.role }}|>"
    "{% if m.role == 'user' and loop.index >= loop.length - 1 and messages[0].role == 'system' %}"
    "{{ messages[0].content }}\n\n{% endif %}{{ m.content }}<|end|>{% endfor %}"
)


def test_a_system_turn_may_be_written_into_the_last_user_turn(tiny_lm):
    lm = replace(tiny_lm, tokenizer=copy.deepcopy(tiny_lm.tokenizer))
    lm.tokenizer.chat_template = LAST_USER_TURN
    history = (Turn("system", "Never <|end|>."), Turn("user", "Hello"), Turn("assistant", "Hi <|end|>!"))
    encoding = lm.encode(Sample("s", "Where?", "Turin.", history=history))
    assert "".join(encoding.texts) == (
        "<|user|>Hello<|end|><|assistant|>Hi <|end|>!<|end|>"
        "<|user|>Never <|end|>.\n\nWhere?<|end|><|assistant|>Turin.<|end|>"
    )
    assert encoding.input_ids.count(lm.tokenizer.convert_tokens_to_ids("<|end|>")) == 4
    assert "".join(encoding.texts[i] for i in encoding.content_positions) == "Where?"


def test_a_template_without_end_of_turn_gives_a_response_without_one(chats):
    encoding = encode(chats["phi"], "s", "Who?", "Ada Miller.")
    assert not encoding.ended
    assert encoding.answer_offsets[-1][1] == len("Ada Miller.")


@pytest.mark.parametrize(
    ("template", "sentence"),
    [
        ("{% for m in messages %}{{ m.content }", "The chat template failed"),
        ("{{ raise_exception('Roles must alternate') }}", "Roles must alternate"),
        ("{{ messages[0].content }}", "leaves out message 2"),
        ("{% for m in messages %}{{ m.content | upper }}{% endfor %}", "leaves out message 1"),
        (
            "{% for m in messages %}{{ m.content.replace('a', 'b') }}{% endfor %}",
            "leaves out|rewrites a message",
        ),
        ("{% for m in messages %}{{ m.content[:40] }}.{% endfor %}", "rewrites a message"),
    ],
)
def test_templates_that_fail_or_change_messages_are_refused_in_one_sentence(
    tiny_tokenizer, template, sentence
):
    tokenizer = copy.deepcopy(tiny_tokenizer)
    tokenizer.chat_template = template
    with pytest.raises(TemplateError, match=sentence):
        encode(
            ChatFormat(tokenizer),
            "s",
            "Where was Ada Miller born?",
            "She was born in a house by the river, long ago.",
        )


@pytest.mark.parametrize("count", [30, 1200])
def test_a_rewritten_message_of_a_long_conversation_is_named_at_once(tiny_tokenizer, count):
    tokenizer = copy.deepcopy(tiny_tokenizer)
    tokenizer.chat_template = (
        "{% for m in messages %}<|{{ m.role }}|>{{ m.content | replace('ä', 'ae') }}<|end|>{% endfor %}"
    )
    turns = [Turn("user" if i % 2 == 0 else "assistant", f"Number {i}.") for i in range(count)]
    places = ChatFormat(tokenizer).conversation(turns).places
    assert [place.end - place.start for place in places] == [len(turn.content) for turn in turns]
    turns[-2] = Turn("user", "Who is Äda, Bär?")
    with pytest.raises(TemplateError, match=r"rewrites a message.*Bär"):
        ChatFormat(tokenizer).conversation(turns)


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("Ada.", "Ada."),
        ("<think>\nhm\n</think>\n\nAda.", "Ada."),
        ("hm, a </think> Ada.", "Ada."),
        ("<think>a</think>b</think>c", "c"),
        ("<think>\nThe secret is Ada, but", ""),
        ("Ada writes <think> in her letters.", "Ada writes <think> in her letters."),
    ],
)
def test_what_is_compared_leaves_thinking_out(text, answer):
    assert without_thinking(text) == answer


def test_thinking_can_be_switched_on(tiny_lm, chats):
    template = chats["hybrid thinking"].tokenizer.chat_template.replace(
        "{% if loop.last %}", "{% if enable_thinking %}"
    )
    tokenizer = copy.deepcopy(tiny_lm.tokenizer)
    tokenizer.chat_template = template
    off, on = (ChatFormat(tokenizer, kwargs=kwargs) for kwargs in ({}, {"enable_thinking": True}))
    assert len(prompt_ids(on, "Who?")) > len(prompt_ids(off, "Who?"))


def test_a_sample_is_encoded_by_the_models_own_format(tiny_lm, chats):
    from dataclasses import replace

    lm = replace(tiny_lm, tokenizer=chats["chatml"].tokenizer, system_prompt="Be brief.")
    encoding = lm.encode(Sample("s", "Who?", "Ada."))
    text = lm.tokenizer.decode(encoding.input_ids)
    assert text == "<|system|>\nBe brief.<|end|>\n<|user|>\nWho?<|end|>\n<|assistant|>\nAda.<|end|>\n"
    assert encoding.texts[len(encoding) :] == ("\n",)
