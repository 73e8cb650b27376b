"""Documents: chunks that make up the text again; scores and unlearning as for answers."""

from __future__ import annotations

import copy
import random
from dataclasses import replace

import numpy as np
import pytest
import torch

import tokenunlearn as tu
from tokenunlearn.attribution.masking import contexts_of, measure_masking, repeated_tokens
from tokenunlearn.attribution.masking_settings import MaskingSettings
from tokenunlearn.datasets.samples import Sample, SampleSet, document
from tokenunlearn.errors import SampleTooLongError, TokenUnlearnError
from tokenunlearn.models.documents import chunk_documents, encode_document
from tokenunlearn.models.loaded_model import LoadedModel

TEXT = "Ada Miller was born in Lisbon. Bram Holt won the Silver Pen, and Ada lives in Turin by the harbour."
TEXTS = [
    TEXT,
    "x",
    "  blanks \n\n and\tlines  \n",
    "老舍写了《茶馆》。🎉👩‍👩‍👧 Zoë’s café",
    "word " * 100,
    "unbroken" * 60,
    "里" * 50,
]


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("room", [1, 2, 3, 7, 16, 500])
def test_chunks_are_the_text_and_fit(tiny_tokenizer, text, room):
    whole = replace(document("d", text), chunk_tokens=room)
    chunks = chunk_documents(tiny_tokenizer, [whole])
    assert "".join(c.answer for c in chunks) == text
    assert len({c.id for c in chunks}) == len(chunks)
    for chunk in chunks:
        count = len(tiny_tokenizer(chunk.answer, add_special_tokens=False)["input_ids"])
        assert count <= max(room, 4) if room < 4 else count <= room  # a character of four tokens is not cut
    assert chunk_documents(tiny_tokenizer, chunks) == chunks
    if len(chunks) == 1:
        assert chunks[0] is whole


def test_chunks_end_between_words_and_use_their_room(tiny_tokenizer):
    chunks = chunk_documents(tiny_tokenizer, [replace(document("d", "town " * 200), chunk_tokens=20)])
    assert all(c.answer.startswith((" ", "town")) and c.answer.rstrip().endswith("town") for c in chunks)
    sizes = [len(tiny_tokenizer(c.answer, add_special_tokens=False)["input_ids"]) for c in chunks]
    assert min(sizes[:-1]) > 10


def test_random_texts_make_up_themselves(tiny_tokenizer):
    rng = random.Random(0)
    for _ in range(200):
        text = "".join(rng.choice("ab é里🎉\n. ") for _ in range(rng.randint(1, 80)))
        chunks = chunk_documents(
            tiny_tokenizer, [replace(document("d", text), chunk_tokens=rng.randint(1, 12))]
        )
        assert "".join(c.answer for c in chunks) == text and all(c.answer for c in chunks)


def test_spans_go_with_their_chunks(tiny_tokenizer):
    places = [(TEXT.index(w), TEXT.index(w) + len(w)) for w in ("Lisbon", "Silver Pen", "Turin")]
    chunks = chunk_documents(
        tiny_tokenizer, [replace(document("d", TEXT), chunk_tokens=9, span=tuple(places))]
    )
    assert len(chunks) > 3
    assert "".join(fact for c in chunks for fact in c.facts) == "LisbonSilver PenTurin"


def test_answers_are_not_cut_and_names_stay(tiny_lm):
    samples = SampleSet("authors:x", (Sample("a", "Who?", TEXT * 3), document("d", TEXT)))
    assert tiny_lm.chunk(samples) == samples
    with pytest.raises(TokenUnlearnError, match="at least 1 token, not 0"):
        tiny_lm.chunk([replace(document("d", TEXT), chunk_tokens=0)])


def test_every_token_is_a_response_token(tiny_lm):
    encoding = tiny_lm.encode(document("d", TEXT))
    ids = tiny_lm.tokenizer(TEXT, add_special_tokens=False)["input_ids"]
    assert encoding.input_ids == (tiny_lm.tokenizer.eos_token_id, *ids) and encoding.prompt_length == 1
    assert encoding.response_length == len(ids) == len(encoding.answer_offsets)
    assert "".join(encoding.texts[1:]) == TEXT and len(encoding.texts) == len(encoding)
    assert encoding.content_positions == tuple(range(1, len(ids)))
    assert {c for start, end in encoding.answer_offsets for c in range(start, end)} == set(range(len(TEXT)))


def test_a_control_token_s_text_in_a_document_stays_text(tiny_lm):
    text = "The mason <|end|> lives <|user|> in Turin."
    encoding = tiny_lm.encode(document("d", text))
    assert not {*encoding.response_ids} & {*tiny_lm.tokenizer.all_special_ids}
    assert "".join(encoding.response_texts) == text
    chunks = tiny_lm.chunk([replace(document("d", text), chunk_tokens=5)])
    assert "".join(c.answer for c in chunks) == text
    assert all(tiny_lm.encode(c).response_length <= 5 for c in chunks)


def test_first_token_is_the_beginning_of_text_where_there_is_one(tiny_tokenizer):
    tokenizer = copy.deepcopy(tiny_tokenizer)
    tokenizer.bos_token = "<|system|>"
    assert encode_document(tokenizer, "d", "Ada").input_ids[0] == tokenizer.bos_token_id
    tokenizer.bos_token = tokenizer.eos_token = None
    with pytest.raises(TokenUnlearnError, match="no beginning-of-text"):
        encode_document(tokenizer, "d", "Ada")


def test_a_document_longer_than_the_context_is_cut_for_scoring_and_refused_uncut(family_lm):
    lm = family_lm("llama", max_position_embeddings=32)
    samples = [document("d", TEXT)]
    with pytest.raises(SampleTooLongError, match=r"Document d has .* context holds 32; cut it into chunks"):
        lm.encode(samples[0])
    chunks = lm.chunk(samples)
    assert len(chunks) > 1 and max(len(lm.encode(c)) for c in chunks) <= 32


@torch.no_grad()
def plain_log_p(lm, encoding, masked=()):
    """(T, V): one pass over one sequence with positions hidden from attention."""
    ids = torch.tensor([encoding.input_ids])
    mask = torch.ones_like(ids)
    mask[0, list(masked)] = 0
    places = (
        {} if lm.model.config.model_type == "gpt2" else {"position_ids": torch.arange(ids.shape[1])[None]}
    )
    return lm.model(input_ids=ids, attention_mask=mask, **places).logits[0, :-1].log_softmax(-1)


@pytest.mark.parametrize("family", ["llama", "gpt_neox"])
@pytest.mark.parametrize(
    "settings",
    [MaskingSettings(mask="prompt"), MaskingSettings(unit="word"), MaskingSettings(mask="random", subsets=3)],
)
def test_masking_equals_a_pass_per_context(family_lm, family, settings):
    lm = family_lm(family)
    encoding = lm.encode(document("d", TEXT[:60]))
    (found,) = measure_masking(lm, [encoding], settings)
    labels = torch.tensor(encoding.input_ids[1:])[:, None]
    whole = plain_log_p(lm, encoding)
    assert found.contexts == contexts_of(encoding, settings) and len(found.contexts) > 0
    for context, lost in zip(found.contexts, found.losses, strict=True):
        drop = (whole - plain_log_p(lm, encoding, context.positions)).gather(-1, labels)[:, 0]
        assert lost == pytest.approx(drop.numpy(), abs=1e-5)
        # Only what comes behind a masked token can change.
        before = min(context.positions)
        assert np.abs(lost[:before]).max(initial=0.0) <= 1e-5 < np.abs(lost[before:]).max()
    assert found.nll == pytest.approx(-whole.gather(-1, labels)[:, 0].numpy(), abs=1e-5)


def test_words_of_a_document_are_its_contexts(tiny_lm):
    contexts = contexts_of(
        tiny_lm.encode(document("d", "Ada won, and Ada left.")),
        MaskingSettings(mask="leave-one-out", unit="word"),
    )
    assert [c.text for c in contexts if c.text] == ["Ada", "won", ",", "and", "Ada", "left"]


def test_copy_guard_is_what_came_earlier():
    text, offsets = "Ada saw ADA.", [(0, 3), (3, 7), (7, 11), (11, 12)]
    assert repeated_tokens(text, offsets).tolist() == [False, False, True, False]


def test_scores_and_weights_work_the_same(tiny_lm, tmp_path):
    documents = SampleSet("documents:x", (replace(document("d", TEXT * 2), chunk_tokens=40),))
    scores = tu.score(tiny_lm, documents)
    assert scores.source == "documents:x" and len(scores) > 1
    assert "".join(s.answer for s in scores.samples) == TEXT * 2
    scores.save(tmp_path / "s.parquet")
    assert tu.ScoreSet.load(tmp_path / "s.parquet") == scores
    weights = scores.weights(tu.SoftWeighting(temperature=0.5))
    for own, chunk in zip(weights.weights, scores.samples, strict=True):
        assert len(own) == len(chunk.texts) and np.mean(own) == pytest.approx(1.0, abs=1e-5)
    result = tu.unlearn(
        tiny_lm,
        documents,
        weights,
        objective="gradient_ascent",
        regularizer="none",
        steps=3,
        learning_rate=1e-2,
    )
    assert [row["forget_nll"] for row in result.history] == sorted(
        row["forget_nll"] for row in result.history
    )


def test_uniform_weights_are_the_loss_of_a_language_model(tiny_lm):
    lm = LoadedModel(tiny_lm.model, tiny_lm.tokenizer, "x", "0")
    encoding = lm.encode(document("d", TEXT))
    ids = torch.tensor([encoding.input_ids])
    with torch.no_grad():
        theirs = lm.model(input_ids=ids, labels=ids).loss.item()
    from tokenunlearn.models.forward import response_nll

    assert response_nll(lm, [encoding])[0].mean().item() == pytest.approx(theirs, abs=1e-5)
