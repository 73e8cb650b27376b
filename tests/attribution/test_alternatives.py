"""What would stand in for each token, against one plain forward pass per sample."""

from __future__ import annotations

import copy

import pytest
import torch

from tests.plain_passes import plain_log_p
from tests.tiny_models import build_lm
from tokenunlearn.attribution.alternatives import alternatives, shared_positions
from tokenunlearn.datasets.samples import Sample
from tokenunlearn.errors import Cancelled

SAMPLES = (
    Sample("a", "Where was Ada Miller born?", "Ada Miller was born in Lisbon."),
    Sample("b", "Wer schrieb das Café?", "Bram Holt, 1994."),
    Sample("c", "", "The heron of Tollbridge is grey."),
)


def expected(lm, encoding, operator="attention"):
    """The best token of each position without the answer's own; the end of turn stays."""
    log_p = plain_log_p(lm, encoding, shared_positions(encoding), operator)
    log_p[:, list(encoding.response_ids)] = -torch.inf
    ids = log_p[: encoding.response_length].argmax(-1)
    if encoding.response_ids[-1] == lm.end_of_turn_id:
        ids[-1] = lm.end_of_turn_id
    return ids.tolist()


@pytest.mark.parametrize("token_budget", [None, 40])
def test_equals_a_pass_per_sample(family_lm, family, token_budget):
    lm = family_lm(family)
    encodings = lm.encode_all(SAMPLES)
    found = alternatives(lm, encodings, token_budget=token_budget)
    assert [ids.tolist() for ids in found] == [expected(lm, e) for e in encodings]


def test_a_model_that_ignores_the_attention_mask_has_the_words_replaced(tiny_lm, monkeypatch):
    monkeypatch.setitem(vars(tiny_lm), "ignores_mask", True)
    encodings = tiny_lm.encode_all(SAMPLES)
    with pytest.warns(UserWarning, match="ignores the attention mask"):
        found = alternatives(tiny_lm, encodings)
    assert [ids.tolist() for ids in found] == [expected(tiny_lm, e, "token") for e in encodings]


def test_an_answer_without_an_end_of_turn_may_end_with_a_word_of_the_question(tiny_tokenizer):
    tokenizer = copy.deepcopy(tiny_tokenizer)
    tokenizer.chat_template = "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}"
    lm = build_lm("llama", tokenizer)
    encodings = lm.encode_all([Sample("a", "Who is Ada Miller?", "Her name is Ada Miller"), *SAMPLES])
    assert not encodings[0].ended
    found = alternatives(lm, encodings)
    assert [ids.tolist() for ids in found] == [expected(lm, e) for e in encodings]


def test_progress_is_said_after_every_pass_and_may_stop_it(tiny_lm):
    encodings = tiny_lm.encode_all(SAMPLES)
    calls = []
    alternatives(tiny_lm, encodings, token_budget=40, progress=lambda *call: calls.append(call))
    assert calls[-1] == (3, 3) and len(calls) > 1

    def stop(done, total):
        raise Cancelled

    with pytest.raises(Cancelled):
        alternatives(tiny_lm, encodings, progress=stop)


def test_words_that_question_and_answer_share_are_hidden_in_both(tiny_lm):
    (shared, apart, document) = tiny_lm.encode_all(SAMPLES)
    hidden = shared_positions(shared)
    text = "".join(shared.texts[i] for i in hidden if i < shared.prompt_length)
    assert text.split() == ["was", "Ada", "Miller", "born"]
    text = "".join(shared.texts[i] for i in hidden if i >= shared.prompt_length)
    assert text.split() == ["Ada", "Miller", "was", "born"]
    assert shared_positions(apart) == shared_positions(document) == ()


def test_facts_of_one_answer_do_not_change_places(tiny_lm):
    encodings = tiny_lm.encode_all(SAMPLES)
    for encoding, ids in zip(encodings, alternatives(tiny_lm, encodings), strict=True):
        assert not set(ids.tolist()[:-1]) & set(encoding.response_ids)
