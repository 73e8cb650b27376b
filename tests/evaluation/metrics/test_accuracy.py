"""Multiple-choice accuracy: the prompt word for word, and the batches against one prompt at a time."""

from __future__ import annotations

import copy
import json
import math

import pytest
import torch

import tokenunlearn as tu
from tokenunlearn.datasets.choices import ChoiceQuestion, ChoiceSet
from tokenunlearn.errors import SampleTooLongError, TokenUnlearnError
from tokenunlearn.evaluation.letters import choice_prompt, letter_log_probs, letter_tokens
from tokenunlearn.evaluation.metrics.accuracy import accuracy
from tokenunlearn.evaluation.result import wilson_interval
from tokenunlearn.evaluation.suites import choice_suite
from tokenunlearn.evaluation.suites.choice_suite import CHOICE_SUITES, ChoicePart
from tokenunlearn.evaluation.suites.suite import known_retrained
from tokenunlearn.models.loaded_model import LoadedModel

QUESTIONS = ChoiceSet(
    "tiny:questions",
    tuple(
        ChoiceQuestion(
            f"q-{i}",
            "Where? " * (i % 5) + f"Town {i}?",
            ("Lisbon", "Turin", "Zürich", "x")[: 2 + i % 3],
            i % 2,
            "towns",
        )
        for i in range(12)
    ),
)


def test_prompt_is_the_standard_one():
    question = ChoiceQuestion(
        "q", " Who won?\n", ("Ada", "Bram", "Chiara", "None of them"), 1, "computer security"
    )
    assert choice_prompt(question) == (
        "The following are multiple choice questions (with answers) about computer security.\n\n"
        "Who won?\nA. Ada\nB. Bram\nC. Chiara\nD. None of them\nAnswer:"
    )
    assert choice_prompt(ChoiceQuestion("q", "Who?", ("a", "b"), 0)).startswith(
        "The following are multiple choice questions (with answers).\n\nWho?\nA. a\nB. b\n"
    )


@torch.no_grad()
def naive(lm, question):
    """Log-probability of each whole continuation after the prompt, one forward pass each.

    A continuation is a blank and a letter: the tokenizer's own tokens where they are alike for all letters,
    else the blank's and the letter's apart.
    """
    letters = "ABCD"[: len(question.choices)]
    tails = [lm.tokenizer(f" {x}", add_special_tokens=False)["input_ids"] for x in letters]
    if len({tuple(tail[:-1]) for tail in tails}) > 1:
        tails = [[lm.tokenizer.convert_tokens_to_ids(token) for token in ("Ġ", x)] for x in letters]
    prompt = lm.tokenizer(choice_prompt(question))["input_ids"]
    found = []
    for tail in tails:
        log_p = lm.model(input_ids=torch.tensor([prompt + tail])).logits[0].log_softmax(-1)
        found.append(sum(log_p[len(prompt) + i - 1, token].item() for i, token in enumerate(tail)))
    return found


def test_batches_equal_one_prompt_at_a_time(family_lm, family):
    lm = family_lm(family)
    rows = letter_log_probs(lm, QUESTIONS, token_budget=300)
    for row, question in zip(rows, QUESTIONS, strict=True):
        theirs = naive(lm, question)
        # Tokens that all the letters share move every choice alike.
        assert (row - row[0]).tolist() == pytest.approx([x - theirs[0] for x in theirs], abs=1e-4)
    result = accuracy("x/accuracy", QUESTIONS, rows, "lower")
    right = []
    for question in QUESTIONS:
        theirs = naive(lm, question)
        right.append(float(max(range(len(theirs)), key=theirs.__getitem__) == question.answer))
    assert list(result.rows) == right and result.sample_ids == tuple(q.id for q in QUESTIONS)
    assert (result.value, result.n, result.better) == (pytest.approx(sum(right) / 12), 12, "lower")
    assert 0 < sum(right) < 12
    assert result.chance == pytest.approx(sum(1 / len(q.choices) for q in QUESTIONS) / 12)


@torch.no_grad()
def test_a_tie_is_no_right_answer(tiny_lm):
    lm = tiny_lm.copy(share_weights=False)
    lm.model.get_output_embeddings().weight.zero_()
    assert accuracy("x", QUESTIONS, letter_log_probs(lm, QUESTIONS), "higher").value == 0.0


def test_letters_of_one_token_each(family_lm):
    large = family_lm("llama", vocab_size=400)
    tokenizer = copy.deepcopy(large.tokenizer)
    tokenizer.add_tokens([" A", " B", " C", " D"])
    lm = LoadedModel(large.model, tokenizer, "letters", "0")
    assert letter_tokens(tokenizer, 4) == ([], [tokenizer.convert_tokens_to_ids(f" {x}") for x in "ABCD"])
    for row, question in zip(letter_log_probs(lm, QUESTIONS), QUESTIONS, strict=True):
        assert row.tolist() == pytest.approx(naive(lm, question), abs=1e-4)


def test_letters_with_and_without_a_token_for_blank_and_letter(tiny_lm):
    tokenizer = tiny_lm.tokenizer
    shared, letters = letter_tokens(tokenizer, 4)
    texts = [tokenizer.decode([*shared, x]) for x in letters]
    assert texts == [" A", " B", " C", " D"] and len(set(letters)) == 4


class _Letters:
    """A tokenizer with given ids for given texts."""

    def __init__(self, **ids):
        self.ids = {"Answer:": [9], **ids}

    def __call__(self, text, add_special_tokens=False):
        return {"input_ids": self.ids[text]}


def test_letters_that_only_partly_have_a_token_with_the_blank():
    mixed = _Letters(**{"Answer: A": [9, 1], "Answer: B": [9, 7, 2], "Answer: ": [9, 7], "A": [3], "B": [2]})
    assert letter_tokens(mixed, 2) == ([7], [3, 2])
    same = _Letters(**{"Answer: A": [9, 0], "Answer: B": [9, 0], "Answer: ": [9, 7], "A": [0], "B": [0]})
    with pytest.raises(TokenUnlearnError, match="for each choice letter"):
        letter_tokens(same, 2)


@pytest.mark.parametrize(("k", "n"), [(0, 20), (5, 20), (20, 20), (1, 1), (300, 1273)])
def test_wilson_interval_is_the_closed_form(k, n):
    z, p = 1.959963984540054, k / n
    middle = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    assert wilson_interval(k, n) == pytest.approx((middle - half, middle + half), abs=1e-9)


def test_questions_that_do_not_fit_are_left_out(family_lm):
    lm = family_lm("llama", max_position_embeddings=120)
    long = ChoiceQuestion("long", "Where? " * 100, ("a", "b"), 0)
    mixed = ChoiceSet("m", (QUESTIONS[0], long))
    result = accuracy("x", mixed, letter_log_probs(lm, mixed), "higher")
    assert result.rows[1] is None and result.n == 1 and result.rows[0] is not None
    with pytest.raises(
        SampleTooLongError, match='No question of "l" fits the model\'s context of 120 tokens'
    ):
        letter_log_probs(lm, ChoiceSet("l", (long,)))
    with pytest.raises(TokenUnlearnError, match='"e" has no questions'):
        letter_log_probs(lm, ChoiceSet("e", ()))


@pytest.fixture
def tiny_suite(monkeypatch):
    """A suite of one part, in place of the real ones."""
    parts = [ChoicePart("towns", QUESTIONS, "lower")]
    monkeypatch.setitem(CHOICE_SUITES, "tiny", lambda: parts)


def test_suite_reports_figures_and_ids_but_no_text(tiny_lm, tiny_suite):
    seen = []
    report = tu.evaluate(tiny_lm, "tiny", limit=4, progress=lambda *x: seen.append(x))
    text = json.dumps(report.to_json())
    assert not any(word in text for word in ("Where", "Town", "Lisbon"))
    result = report["towns/accuracy"]
    assert result.n == 4 and result.sample_ids == ("q-0", "q-3", "q-6", "q-9")
    assert result.interval == wilson_interval(int(sum(result.rows)), 4)
    assert seen[-1] == ("towns", 4, 4) and report.settings["limit"] == 4
    assert any(note.startswith("Guessing scores 0.") for note in report.notes)


def test_pairs_with_the_start_model_have_no_chance(tiny_lm, monkeypatch):
    monkeypatch.setitem(CHOICE_SUITES, "tiny", lambda: [ChoicePart("towns", QUESTIONS, "higher")])
    report = tu.evaluate(tiny_lm, "tiny", start=tu.evaluate(tiny_lm, "tiny"))
    assert report["towns/retained_pairs"].chance is None
    (note,) = (note for note in report.notes if note.startswith("Guessing"))
    assert note == f"Guessing scores {report['towns/accuracy'].chance:.4g}."


def test_a_retrained_model_or_its_report_gives_its_values(tiny_lm, tiny_suite, tmp_path, monkeypatch):
    path = tu.evaluate(tiny_lm, "tiny").save(tmp_path / "tiny.json")
    monkeypatch.setattr(choice_suite, "load_model", lambda *a, **k: pytest.fail("a model was loaded"))
    stored = tu.evaluate(tiny_lm, "tiny", path, limit=4)["towns/accuracy"]
    assert stored.retrained == stored.value  # on the four questions, not on all
    assert stored.retrained_rows == stored.rows
    monkeypatch.setattr(choice_suite, "load_model", lambda name, **placement: tiny_lm)
    phases = []
    loaded = tu.evaluate(tiny_lm, "tiny", "other", limit=4, progress=lambda *x: phases.append(x[0]))
    assert loaded["towns/accuracy"].retrained == stored.retrained
    assert phases[0] == "retrained: towns" and phases[-1] == "towns"
    assert tu.evaluate(tiny_lm, "tiny", limit=4)["towns/accuracy"].retrained is None


def test_a_retrained_report_of_another_suite_is_refused(tiny_lm, tiny_suite, tmp_path, monkeypatch):
    path = tu.evaluate(tiny_lm, "tiny").save(tmp_path / "tiny.json")
    with pytest.raises(TokenUnlearnError, match=r"was created on tiny and has no answer to alchemy-"):
        tu.evaluate(tiny_lm, "alchemy", path)


@pytest.mark.parametrize(
    ("model", "suite", "known"),
    [
        ("demo", "wmdp", None),
        ("demo-alchemy", "mmlu", None),
        ("demo-alchemy", "alchemy", "demo-alchemy-retrained"),
        ("demo", "authors", "demo-retrained"),
    ],
)
def test_a_retrained_model_counts_only_for_what_it_never_saw(model, suite, known):
    assert known_retrained(model, suite) == known


def test_suite_faults(tiny_lm, tiny_suite):
    with pytest.raises(TokenUnlearnError, match=r'no suite "nothing"; use one of authors, .*wmdp, mmlu'):
        tu.evaluate(tiny_lm, "nothing")
    with pytest.raises(TokenUnlearnError, match="limit is 0; at least 1 question"):
        tu.evaluate(tiny_lm, "tiny", limit=0)
    with pytest.raises(TokenUnlearnError, match='no suite "x"; use one of'):
        choice_suite.evaluate_choices(tiny_lm, "x")


@pytest.mark.slow
@pytest.mark.parametrize("suite", ["wmdp", "mmlu"])
def test_smollm2_on_two_questions_of_each_part(data_folder, suite):
    from tokenunlearn.models.smollm2 import smollm2_available

    if not smollm2_available():
        pytest.skip("SmolLM2 is not installed")
    report = tu.evaluate(tu.load_model("smollm2", device="cpu"), suite, limit=2)
    assert len(report.metrics) == {"wmdp": 3, "mmlu": 6}[suite]
    for result in report.metrics.values():
        assert result.n == 2 and result.chance == 0.25 and 0 <= result.value <= 1
        low, high = result.interval
        assert low < high and low <= result.value <= high


def test_models_with_a_beginning_of_text_token_begin_with_it(tiny_lm):
    from tokenizers.processors import TemplateProcessing

    tokenizer = copy.deepcopy(tiny_lm.tokenizer)
    begin = tokenizer.convert_tokens_to_ids("<|system|>")
    tokenizer.backend_tokenizer.post_processor = TemplateProcessing(
        single="<|system|> $A", special_tokens=[("<|system|>", begin)]
    )
    lm = LoadedModel(tiny_lm.model, tokenizer, "bos", "0")
    rows, plain = letter_log_probs(lm, QUESTIONS), letter_log_probs(tiny_lm, QUESTIONS)
    theirs = naive(lm, QUESTIONS[0])
    assert (rows[0] - rows[0][0]).tolist() == pytest.approx([x - theirs[0] for x in theirs], abs=1e-4)
    assert not torch.allclose(rows[0], plain[0])
