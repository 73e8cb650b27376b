"""Samples over the context: counted all at once, left out, cut into pieces or cut off."""

from __future__ import annotations

import pytest

import tokenunlearn as tu
from tokenunlearn.datasets.samples import Sample, SampleSet, Turn, document
from tokenunlearn.errors import SampleTooLongError, TokenUnlearnError
from tokenunlearn.models.context import fit_context, fit_forms
from tokenunlearn.models.encoding import encode

STORY = "Ada Miller was born in Lisbon. " * 20 + "She lives in Turin."
SAMPLES = SampleSet(
    "file:x",
    (
        Sample("ok", "Where?", "In Lisbon."),
        Sample("a", "Tell me.", STORY, span=((23, 29), (len(STORY) - 6, len(STORY) - 1))),
        Sample("b", "And?", "word " * 200, perturbed_answer=("no",), paraphrased_answer="words"),
        Sample("c", "Go on.", STORY, history=(Turn("user", "Hi"), Turn("assistant", "Hello"))),
    ),
)
ASKED = Sample("asked", "why " * 200, "Because.")


@pytest.fixture
def lm(family_lm):
    """A model that reads 128 tokens."""
    return family_lm("llama", max_position_embeddings=128)


def test_the_error_counts_all(lm):
    turns = [encode(lm.chat, s.id, s.question, s.answer, history=s.history) for s in SAMPLES]
    longest = max(map(len, turns))
    with pytest.raises(SampleTooLongError) as error:
        fit_context(lm, SAMPLES)
    assert str(error.value) == (
        f"3 of 4 samples exceed the model's context of 128 tokens (longest {longest}): a, b, c; "
        "shorten them, or set long to skip, chunk or truncate."
    )
    many = [Sample(f"s{i}", "Why?", STORY) for i in range(9)]
    with pytest.raises(
        SampleTooLongError, match=r"9 of 9 samples exceed .*: s0, s1, s2, s3, s4, \.\.\.; shorten"
    ):
        fit_context(lm, many)


def test_the_limit_of_mpt_has_a_name_of_its_own(family_lm):
    lm = family_lm("mpt", d_model=32, n_heads=4, n_layers=2, max_seq_len=128, max_position_embeddings=None)
    assert lm.context_length == 128
    with pytest.raises(SampleTooLongError, match="3 of 4 samples exceed"):
        fit_context(lm, SAMPLES)


def test_other_wordings_that_exceed_the_context_are_left_out(lm, family_lm):
    asked = Sample("a", "Who?", "Ada.", paraphrased_question="who " * 200, perturbed_answer=("Bea.",))
    answered = Sample("b", "Who?", "Ada.", paraphrased_answer="It is Ada.", perturbed_answer=("Bea.", STORY))
    samples = SampleSet("x", (asked, answered, Sample("c", "Who?", "Ada.", perturbed_answer=("Cy.",))))
    fitted = fit_forms(lm, samples)
    assert [s.paraphrased_question for s in fitted] == ["", "", ""]
    assert [s.perturbed_answer for s in fitted] == [("Bea.",), (), ("Cy.",)]
    assert fitted[1].paraphrased_answer == "" and fitted[2] == samples[2]
    assert fit_forms(family_lm("llama", max_position_embeddings=4096), samples) == samples


def test_what_fits_stays_the_same(lm, family_lm):
    fitting = SAMPLES[:1]
    for long in ("error", "skip", "chunk", "truncate"):
        assert fit_context(lm, fitting, long) == fitting
        assert fit_context(family_lm("llama", max_position_embeddings=4096), SAMPLES, long) == SAMPLES


@pytest.mark.parametrize("long", ["skip", "chunk", "truncate"])
def test_every_fitted_sample_can_be_read_and_fitting_again_changes_nothing(lm, long):
    fitted = fit_context(lm, [*SAMPLES, document("d", STORY)], long)
    assert all(len(e) <= 128 for e in lm.encode_all(fitted))
    assert len({s.id for s in fitted}) == len(fitted)
    assert fit_context(lm, fitted, long) == fitted == fit_context(lm, fitted)


def test_skip_leaves_out(lm):
    fitted = fit_context(lm, SAMPLES, "skip")
    assert [s.id for s in fitted] == ["ok"] and fitted.name == "file:x"
    with pytest.raises(TokenUnlearnError, match="No sample fits the model's context of 128 tokens"):
        fit_context(lm, SAMPLES[1:], "skip")


def test_truncate_keeps_the_beginning_up_to_a_word(lm):
    _, a, b, c = fit_context(lm, SAMPLES, "truncate")
    assert [s.id for s in (a, b, c)] == ["a", "b", "c"]
    assert STORY.startswith(a.answer) and STORY[len(a.answer)] == " " and a.facts == ("Lisbon",)
    assert len(lm.encode(a)) > 115
    assert b.paraphrased_answer == "" and b.perturbed_answer == ()
    assert c.history == SAMPLES[3].history and len(c.answer) < len(a.answer)


def test_chunk_keeps_all_of_the_answer(lm):
    pieces = [s for s in fit_context(lm, SAMPLES, "chunk") if s.id.startswith("a")]
    assert "".join(s.answer for s in pieces) == STORY
    assert {s.question for s in pieces} == {"Tell me."} and [s.id for s in pieces[:2]] == ["a-000", "a-001"]
    assert "".join(fact for s in pieces for fact in s.facts) == "LisbonTurin"


@pytest.mark.parametrize("long", ["chunk", "truncate"])
def test_prompts_that_leave_no_room(lm, long):
    with pytest.raises(
        SampleTooLongError, match=r"The prompts of 1 of 2 samples leave no room .*: asked; shorten"
    ):
        fit_context(lm, [SAMPLES[0], ASKED], long)
    assert [s.id for s in fit_context(lm, [SAMPLES[0], ASKED], "skip")] == ["ok"]


def test_unknown_ways(lm):
    with pytest.raises(
        TokenUnlearnError, match='long is "cut"; it must be one of error, skip, chunk, truncate'
    ):
        fit_context(lm, SAMPLES, "cut")
    with pytest.raises(TokenUnlearnError, match='long is "cut"; it must be one of'):
        tu.UnlearnConfig(output_dir="unused", long="cut")


def test_scores_and_weights_are_of_the_fitted_samples(lm):
    scores = tu.score(lm, SAMPLES, long="truncate")
    assert [s.sample_id for s in scores.samples] == ["ok", "a", "b", "c"]
    run = tu.unlearn(
        lm,
        SAMPLES,
        scores.weights(tu.Uniform()),
        retain=SAMPLES,
        long="truncate",
        steps=1,
        batch_size=2,
        retain_batch_size=2,
    )
    assert [len(w) for w in run.token_weights] == [len(s.texts) for s in scores.samples]
    with pytest.raises(SampleTooLongError, match="3 of 4 samples exceed"):
        tu.unlearn(lm, SAMPLES[:1], retain=SAMPLES, steps=1)
