"""Leaks of a run: ways of asking, the tokens where a secret begins, and what is left out."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from app.compare import answer_diff
from app.compare.leaks import counts, gold_tokens, leaks, stated_in
from tests.stored_run import HOSTILE, changes
from tokenunlearn.datasets.samples import Sample

BORN = Sample("authors-054-00", "Where was she born?", "Born in Calverra.", ((8, 16),))
PRIZE = Sample("authors-054-01", "Which prize?", "Born in Calverra.", ((8, 16),))


def metric(rows, retrained=()):
    ids = [BORN.id, PRIZE.id]
    return {"value": 0.5, "n": 2, "interval": None, "better": "lower", "rows": rows, "sample_ids": ids} | (
        {"retrained_rows": list(retrained)} if retrained else {}
    )


def report(metrics, generations=()):
    return {"metrics": metrics, "generations": {"forget": list(generations)}}


ATTACKS = report(
    {
        "plain/gold_span": metric([1.0, 1.0]),
        "paraphrase/gold_span": metric([0.0, 0.5], (0.0, 0.0)),
        "best_of_8/gold_span": metric([0.0, 1.0], (0.0, 1.0)),
        "relearning_01/gold_span_after_2": metric([0.0, 1.0]),
        "relearning_01/gold_span_area": metric([1.0, 1.0]),
        "probe/right_option": metric([1.0, 1.0]),
        "worst/gold_span": metric([1.0, 1.0]),
    }
)


def test_ways_of_asking_are_named_once_and_guesses_and_repetitions_do_not_count():
    ways = stated_in(
        report({"forget/leaks": metric([1.0, 0.0]), "forget/gold_span": metric([1.0, 1.0])}), ATTACKS
    )
    assert ways == {
        BORN.id: {"asked plainly": False},
        PRIZE.id: {
            "reworded questions": False,
            "many random answers": True,
            "training on some of the forgotten samples": False,
        },
    }


def test_questions_that_leak_in_most_ways_come_first_with_what_is_answered():
    said = {"sample_id": BORN.id, "question": "", "answer": "", "generation": "In Calverra."}
    first, second = leaks([BORN, PRIZE], report({"forget/leaks": metric([1.0, 0.0])}, [said]), ATTACKS, ())
    assert (first.sample, second.sample, second.answer) == (PRIZE, BORN, "In Calverra.")
    assert first.unseen == ("many random answers",)
    assert counts([first, second])["asked plainly"] == 1


def test_a_secret_leaks_at_the_token_that_the_model_would_say_first():
    known, gone = changes(0.0)[0], changes(5.0)[1]
    (leak,) = leaks([BORN, PRIZE], None, None, [replace(known, rank_after=np.ones(5, int)), gone])
    assert (leak.sample, leak.ways, leak.begun, leak.tokens) == (BORN, (), (2,), [" Calverra"])
    assert leak.probability == pytest.approx(np.exp(-0.1))
    assert leak.gold.tolist() == [False, False, True, False, False]


def test_tokens_that_do_not_spell_the_answer_are_no_leak():
    other = replace(BORN, answer="She was born in Calverra.", span=((16, 24),))
    assert not gold_tokens(other, changes(0.0)[0]).any()
    assert leaks([other], None, None, [replace(changes(0.0)[0], rank_after=np.ones(5, int))]) == []


def test_without_measurements_nothing_leaks():
    assert leaks([BORN], None, None, ()) == []


def test_the_stated_fact_is_marked_and_everything_is_text():
    html = answer_diff.leak_html(f"In CALVERRA {HOSTILE}", ["Calverra"])
    assert "<mark>CALVERRA</mark>" in html and "<script>" not in html


def test_gold_tokens_are_tinted_by_what_is_left_and_underlined_where_it_begins():
    change = replace(changes(5.0)[0], texts=("Born", " in", "<b>", ".", "<|end|>"))
    html = answer_diff.recall_html(change, np.array([0, 0, 1, 1, 0], bool), [2])
    assert html.count('class="tok gold heavy"') == html.count('class="tok gold"') == 1
    assert "&lt;b&gt;" in html and "rank 1 → 40" in html and "<b>" not in html
