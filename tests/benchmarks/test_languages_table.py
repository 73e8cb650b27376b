"""The tables of the languages, and how answers are cut and damaged in each."""

from __future__ import annotations

import doctest

from benchmarks import languages, languages_table
from benchmarks.languages import damaged
from benchmarks.outcomes import cut, swapped

SHARE = [0.5, 0.25, 0.75, 54]


def known(**changes):
    models = {
        model: {"forget/leaks": SHARE} for model in ("start model", "unlearned model", "retrained model")
    }
    of = {
        "model": "demo-x",
        "tokens": {"n_samples": 54},
        "gold_tokens_across": SHARE,
        "signals": {"importance": [0.9, 0.8, 1.0]},
        "models": models,
        "called_broken": {"cut": SHARE, "glued": SHARE},
        "attacks": {"prefix/gold_span": [*SHARE, 0.125]},
        "verdict": {"outcome": "hidden", "headline": "It is hidden."},
    }
    return of | changes


RESULT = {"languages": {"german": known(), "japanese": known(called_broken={"cut": SHARE})}}


def test_the_examples_in_the_docstrings_hold():
    result = doctest.testmod(languages)
    assert result.attempted and not result.failed


def test_damaged_answers_keep_blanks_or_have_none():
    assert damaged(["Das ist ein Haus."], cut) == ["Das ist ein Haus"]
    (text,) = damaged(["猫が好きです。"], swapped)
    assert sorted(text) == sorted("猫が好きです。") and text != "猫が好きです。"


def test_what_does_not_apply_to_a_language_is_a_dash():
    _, rows = languages_table.judge_table(RESULT)
    assert rows[1] == ["`glued`", "0.500 (0.250 to 0.750, n = 54)", "–"]


def test_attacks_stand_next_to_the_retrained_model():
    header, (row,) = languages_table.attacks_table(RESULT)
    assert header[1:3] == ["german: unlearned", "german: retrained"]
    assert row[:3] == ["`prefix/gold_span`", "0.500 (0.250 to 0.750, n = 54)", "0.125"]


def test_the_short_table_gives_signal_leaks_and_verdict():
    _, rows = languages_table.headline_table(RESULT)
    named = {row[0]: row[1] for row in rows}
    assert named["AUROC of the default signal"] == "0.900 (0.800 to 1.000)"
    assert named["`forget/leaks`, retrained model"] == "0.500 (0.250 to 0.750, n = 54)"
    assert named["`forget/broken`, unlearned model"] == "–" and named["verdict"] == "hidden"
