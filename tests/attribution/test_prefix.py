"""Prefix knowledge against a pass for every context of every token, over families of models."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tokenunlearn.attribution import prefix
from tokenunlearn.attribution.prefix import prefix_knowledge
from tokenunlearn.datasets.samples import Sample

SAMPLES = [
    Sample("a", "Where was Ada Miller born?", "Ada Miller was born in Lisbon, in the old town."),
    Sample("b", "谁?", "老舍 🎉"),
    Sample("c", "Why?", "x"),
    Sample("d", "", "Sie wurde in Zürich geboren.", chunk_tokens=128),
]


@torch.no_grad()
def log_probability(lm, ids, token):
    """Of one token after a sequence of its own."""
    return float(lm.model(input_ids=torch.tensor([ids])).logits[0, -1].log_softmax(-1)[token])


def by_one_pass_each(lm, encoding):
    prompt, response = encoding.input_ids[: encoding.prompt_length], encoding.response_ids
    values = []
    for t, token in enumerate(response):
        near = [*prompt, *response[:t][-3:]]
        last = [response[t - 1] if t else prompt[-1]]
        values.append(log_probability(lm, near, token) - log_probability(lm, last, token))
    return values


def test_equals_a_pass_for_every_context(family_lm, family):
    lm = family_lm(family)
    encodings = lm.encode_all(SAMPLES)
    knowledge = prefix_knowledge(lm, encodings)
    for encoding, values in zip(encodings, knowledge, strict=True):
        assert values.shape == (encoding.response_length,) and values.dtype == np.float32
        assert values == pytest.approx(by_one_pass_each(lm, encoding), abs=1e-4)
    assert knowledge[0].std() > 0.1 and knowledge[-1][0] == 0  # a document begins after a single token


@pytest.mark.parametrize("token_budget", [1, 40])
def test_the_budget_changes_nothing(tiny_lm, token_budget):
    encodings = tiny_lm.encode_all(SAMPLES)
    whole, parts = (
        prefix_knowledge(tiny_lm, encodings, token_budget=budget) for budget in (4096, token_budget)
    )
    assert np.concatenate(parts) == pytest.approx(np.concatenate(whole), abs=1e-5)
    assert prefix_knowledge(tiny_lm, []) == []


def test_tokens_before_the_last_three_do_not_matter(tiny_lm):
    encodings = tiny_lm.encode_all(
        [Sample("a", "Who?", f"{first} wrote the old green book") for first in ("Ada", "Bo")]
    )
    one, other = (values[-3:] for values in prefix_knowledge(tiny_lm, encodings))
    assert one == pytest.approx(other, abs=1e-6)


def test_contexts_that_return_are_read_once(tiny_lm, monkeypatch):
    rows = []
    response_nll = prefix.response_nll

    def counted(lm, encodings, **settings):
        rows.extend(encodings)
        return response_nll(lm, encodings, **settings)

    monkeypatch.setattr(prefix, "response_nll", counted)
    encoding = tiny_lm.encode(SAMPLES[0])
    once, again = prefix_knowledge(tiny_lm, [encoding, encoding])
    assert (once == again).all()
    assert len({row.input_ids for row in rows}) == len(rows) <= 2 * encoding.response_length
