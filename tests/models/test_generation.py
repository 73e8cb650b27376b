"""Batched greedy generation writes what a plain argmax loop over one prompt writes."""

from __future__ import annotations

import copy
import warnings
from dataclasses import replace

import pytest
import torch

from tests.models.architectures import ARCHITECTURES
from tokenunlearn.datasets import load_samples
from tokenunlearn.datasets.samples import Sample, Turn
from tokenunlearn.errors import Cancelled, SampleTooLongError
from tokenunlearn.models.encoding import encode, prompt_ids
from tokenunlearn.models.generation import Sampling, generate
from tokenunlearn.models.loaded_model import LoadedModel
from tokenunlearn.models.loading import load_model

QUESTIONS = (
    "Where was Ada Miller born?",
    "Hi",
    "Which prize did the author Bram Holt win for his second novel, and in which town was it?",
    "Wo wurde die Autorin geboren?",
)


def prompt_of(lm, question):
    """Prompt ids as the samples' encodings have them."""
    encoding = encode(lm.chat, "x", question, "An answer.")
    return list(encoding.input_ids[: encoding.prompt_length])


def greedy(lm, question, steps):
    """New ids of a plain argmax loop without cache, padding or stopping."""
    ids = prompt_of(lm, question)
    start = len(ids)
    with torch.no_grad():
        for _ in range(steps):
            logits = lm.model(input_ids=torch.tensor([ids])).logits[0, -1]
            ids.append(int(logits.argmax()))
    return ids[start:]


def text_of(lm, ids, ends):
    stop = next((i for i, token in enumerate(ids) if token in ends), len(ids))
    return lm.tokenizer.decode(ids[:stop], skip_special_tokens=True).strip()


@pytest.fixture
def own_lm(tiny_lm) -> LoadedModel:
    """A copy that a test may change."""
    return replace(tiny_lm, model=copy.deepcopy(tiny_lm.model), tokenizer=copy.deepcopy(tiny_lm.tokenizer))


@pytest.mark.parametrize("family", ["llama", "gemma3_text", "gpt2", "opt"])
def test_batch_writes_what_an_argmax_loop_writes_alone(family_lm, family):
    lm = family_lm(family)
    expected = [text_of(lm, greedy(lm, q, 12), {lm.end_of_turn_id}) for q in QUESTIONS]
    assert len(set(expected)) > 1
    assert generate(lm, QUESTIONS, max_new_tokens=12) == expected


def test_prompts_travel_alone_where_the_model_would_read_padding(family_lm):
    lm = family_lm("rwkv", **ARCHITECTURES["rwkv"])
    questions = [*QUESTIONS, "Ho", "Who was Ada Miller bound?"]
    assert generate(lm, questions, max_new_tokens=8) == [
        generate(lm, [question], max_new_tokens=8)[0] for question in questions
    ]


def test_batches_of_any_size_give_the_same_texts_in_order(tiny_lm):
    together = generate(tiny_lm, QUESTIONS, max_new_tokens=12)
    done = []
    alone = generate(
        tiny_lm, QUESTIONS, max_new_tokens=12, token_budget=1, progress=lambda *now: done.append(now)
    )
    assert alone == together
    assert list(dict.fromkeys(done)) == [(0, 4), (1, 4), (2, 4), (3, 4), (4, 4)]
    assert generate(tiny_lm, QUESTIONS[::-1], max_new_tokens=12) == together[::-1]


def test_what_progress_raises_ends_a_batch_after_the_present_token(own_lm):
    def stop(done, total):
        tokens.append(done)
        if len(tokens) == 3:
            raise Cancelled

    tokens, config = [], own_lm.model.generation_config
    with pytest.raises(Cancelled):
        generate(own_lm, QUESTIONS, max_new_tokens=50, progress=stop)
    assert tokens == [0, 0, 0]
    assert own_lm.model.generation_config is config


def test_without_a_chat_template(plain_lm):
    expected = [text_of(plain_lm, greedy(plain_lm, q, 8), {plain_lm.end_of_turn_id}) for q in QUESTIONS]
    assert generate(plain_lm, QUESTIONS, max_new_tokens=8) == expected


def test_prompt_ids_are_those_of_the_encoding(tiny_lm, plain_lm):
    for lm in (tiny_lm, plain_lm):
        for question in QUESTIONS:
            ids = prompt_ids(lm.chat, question)
            assert ids == prompt_of(lm, question)
            assert question in lm.tokenizer.decode(ids)


def test_answers_go_on_from_earlier_turns(tiny_lm):
    history = (Turn("system", "Be short."), Turn("user", "Hello"), Turn("assistant", "Hi!"))
    encoding = tiny_lm.encode(Sample("s", QUESTIONS[0], "Yes.", history=history))
    prompt = list(encoding.input_ids[: encoding.prompt_length])
    assert prompt_ids(tiny_lm.chat, QUESTIONS[0], history=history) == prompt
    together = generate(tiny_lm, QUESTIONS[:2], histories=[history, ()], max_new_tokens=8)
    assert together[1] == generate(tiny_lm, QUESTIONS[1:2], max_new_tokens=8)[0]
    assert together[0] == generate(tiny_lm, QUESTIONS[:1], histories=[history], max_new_tokens=8)[0]
    assert together[0] != generate(tiny_lm, QUESTIONS[:1], max_new_tokens=8)[0]


@pytest.mark.parametrize("kind", ["end of turn", "end of sequence"])
def test_stops_at_either_end_token(own_lm, monkeypatch, kind):
    question, ids = QUESTIONS[2], greedy(own_lm, QUESTIONS[2], 12)
    place = next(i for i in range(3, 12) if ids[i] not in ids[:i])
    end, stop = own_lm.end_of_turn_id, ids[place]
    if kind == "end of turn":
        monkeypatch.setattr(LoadedModel, "end_of_turn_id", property(lambda lm: stop))
    else:
        monkeypatch.setattr(LoadedModel, "end_of_turn_id", property(lambda lm: end))
        own_lm.tokenizer.eos_token = own_lm.tokenizer.convert_ids_to_tokens(stop)
    before = own_lm.tokenizer.decode(ids[:place], skip_special_tokens=True).strip()
    assert generate(own_lm, [question], max_new_tokens=12) == [before]
    assert generate(own_lm, QUESTIONS, max_new_tokens=12)[2] == before


def test_settings_that_come_with_the_model_change_nothing(own_lm):
    expected = generate(own_lm, QUESTIONS, max_new_tokens=12)
    own = own_lm.model.generation_config
    own.update(do_sample=True, temperature=0.2, top_p=0.5, repetition_penalty=1.8, suppress_tokens=[5])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert generate(own_lm, QUESTIONS, max_new_tokens=12) == expected
    assert own_lm.model.generation_config is own


@pytest.mark.slow
def test_a_long_neighbour_does_not_shorten_an_answer(family_lm):
    lm = family_lm("llama", max_position_embeddings=48)
    together = generate(lm, QUESTIONS, max_new_tokens=40)
    assert together == [generate(lm, [q], max_new_tokens=40)[0] for q in QUESTIONS]
    for question, answer in zip(QUESTIONS, together, strict=True):
        room = min(40, 48 - len(prompt_of(lm, question)))
        assert answer == text_of(lm, greedy(lm, question, room), {lm.end_of_turn_id})


def test_prompt_without_room_for_an_answer(family_lm):
    lm = family_lm("llama", max_position_embeddings=48)
    size = next(n for n in range(1, 60) if len(prompt_of(lm, "~" * n)) == 47)
    assert len(generate(lm, ["~" * size])) == 1
    with pytest.raises(SampleTooLongError, match=r"Question 2 has 48 tokens .* context of 48; shorten it"):
        generate(lm, ["Hi", "~" * (size + 1)])


def test_random_state_and_gradients_are_left_alone(tiny_lm):
    state = torch.get_rng_state()
    generate(tiny_lm, QUESTIONS, max_new_tokens=4)
    assert torch.equal(state, torch.get_rng_state())
    assert all(p.grad is None for p in tiny_lm.model.parameters())
    batch = torch.tensor([tiny_lm.encode(Sample("x", "Hi", "Yes.")).input_ids])
    assert tiny_lm.model(input_ids=batch).logits.requires_grad


def test_no_questions(tiny_lm):
    assert generate(tiny_lm, []) == []


def test_prefixes_continue_the_answers_own_beginning(tiny_lm, plain_lm):
    for lm, lead in ((tiny_lm, ""), (plain_lm, " ")):
        prefixes = ["Ada Miller", "", "She lives in Turin and", "Sie"]
        ids = [lm.tokenizer(lead + p, add_special_tokens=False)["input_ids"] if p else [] for p in prefixes]
        expected = []
        for question, more in zip(QUESTIONS, ids, strict=True):
            context = prompt_of(lm, question) + more
            with torch.no_grad():
                for _ in range(8):
                    context.append(int(lm.model(input_ids=torch.tensor([context])).logits[0, -1].argmax()))
            expected.append(text_of(lm, context[-8:], {lm.end_of_turn_id}))
        assert generate(lm, QUESTIONS, prefixes=prefixes, max_new_tokens=8) == expected


def test_sampling_follows_its_seed_and_leaves_other_random_numbers_alone(tiny_lm):
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    first = generate(tiny_lm, QUESTIONS, sampling=Sampling(seed=1), max_new_tokens=12)
    assert torch.equal(torch.rand(2), expected)
    assert first == generate(tiny_lm, QUESTIONS, sampling=Sampling(seed=1), max_new_tokens=12)
    assert first != generate(tiny_lm, QUESTIONS, sampling=Sampling(seed=2), max_new_tokens=12)
    cold = generate(tiny_lm, QUESTIONS, sampling=Sampling(temperature=1e-4), max_new_tokens=12)
    assert cold == generate(tiny_lm, QUESTIONS, max_new_tokens=12)


def test_sampling_draws_from_the_models_own_distribution(tiny_lm):
    with torch.no_grad():
        logits = tiny_lm.model(input_ids=torch.tensor([prompt_of(tiny_lm, "Hi")])).logits[0, -1]
    probs = (logits / 0.5).softmax(-1)
    top = int(probs.argmax())
    drawn = generate(tiny_lm, ["Hi"] * 600, sampling=Sampling(temperature=0.5), max_new_tokens=1)
    share = sum(text == tiny_lm.tokenizer.decode([top]).strip() for text in drawn) / 600
    assert share == pytest.approx(probs[top].item(), abs=0.06)


@pytest.mark.slow
def test_demo_answers_in_a_batch_as_one_by_one_and_ends_its_turn():
    lm = load_model("demo", device="cpu")
    questions = [s.question for s in load_samples("authors:forget10").spread(3)]
    alone = [greedy(lm, question, 32) for question in questions]
    assert all(lm.end_of_turn_id in ids for ids in alone)  # so what follows it is cut off
    expected = [text_of(lm, ids, {lm.end_of_turn_id}) for ids in alone]
    assert generate(lm, questions, max_new_tokens=32) == expected
